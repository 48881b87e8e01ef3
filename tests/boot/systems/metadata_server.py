"""The metadata servers of clouds, strict about what their documents ask of a client."""

import base64
import http.server
import json

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0p {}"
TOKEN = "t-0k3n"
OPENSTACK = {"uuid": "os-1", "hostname": "os.example.org", "public_keys": {"me": KEY.format("openstack")}}
AZURE = {
    "compute": {
        "vmId": "az-1",
        "name": "az",
        "osProfile": {"computerName": "az-host"},
        "publicKeys": [{"path": "/x", "keyData": KEY.format("azure")}],
        "userData": base64.b64encode(b"of azure").decode(),
    }
}
EC2 = {
    "/latest/meta-data/instance-id": "i-1",
    "/latest/meta-data/local-hostname": "ec2.internal",
    "/latest/meta-data/local-ipv4": "192.0.2.4",
    "/latest/meta-data/instance-type": "t9.nano",
    "/latest/meta-data/placement/availability-zone": "moon-1a",
    "/latest/meta-data/public-keys/": "0=me",
    "/latest/meta-data/public-keys/0/openssh-key": KEY.format("aws"),
    "/latest/user-data": (
        "#cloud-config\r\nhostname: from-cloud-config # its name\r\nruncmd: [ls]\r\nusers:\r\n  - name: me\r\n"
        f"    ssh_authorized_keys: ['from=\"10.0.0.0/8\" {KEY.format('of-user-data')}']\r\n"
        "write_files:\r\n  - {path: /etc/app/from-cloud, content: of aws, owner: '65534', permissions: '0640'}\r\n"
    ),
}
GCP = {
    "/computeMetadata/v1/instance/id": "42",
    "/computeMetadata/v1/instance/hostname": "gce.internal",
    "/computeMetadata/v1/instance/attributes/ssh-keys": "me:" + KEY.format("gcp") + "\nyou:" + KEY.format("gcp-2"),
    "/computeMetadata/v1/instance/attributes/user-data": "of gcp",
}
PLAIN = {
    "/openstack/latest/meta_data.json": json.dumps(OPENSTACK),
    "/openstack/latest/user_data": "x" * 1100000,
    "/hetzner/v1/metadata/instance-id": "7",
    "/hetzner/v1/metadata/hostname": "hetzner-box",
    "/hetzner/v1/metadata/public-keys": json.dumps([KEY.format("hetzner")]),
    "/hetzner/v1/userdata": "of hetzner",
    "/metadata/v1/id": "9",
    "/metadata/v1/hostname": "droplet",
    "/metadata/v1/public-keys": KEY.format("digitalocean"),
    "/metadata/v1/user-data": "of digitalocean",
}


class Server(http.server.BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        ok = (
            self.path == "/latest/api/token"
            and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "").isdecimal()
        )
        self.say(200 if ok else 400, TOKEN if ok else "")

    def do_GET(self) -> None:
        if self.path in EC2:
            ok = self.headers.get("X-aws-ec2-metadata-token") == TOKEN
            self.say(200 if ok else 401, EC2[self.path] if ok else "")
        elif self.path in GCP:
            ok = self.headers.get("Metadata-Flavor") == "Google"
            self.say(200 if ok else 403, GCP[self.path] if ok else "")
        elif self.path.startswith("/metadata/instance?api-version="):
            ok = self.headers.get("Metadata") == "true"
            self.say(200 if ok else 400, json.dumps(AZURE) if ok else "")
        elif self.path in PLAIN:
            self.say(200, PLAIN[self.path])
        else:
            self.say(404, "<html>not here</html>")

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


http.server.ThreadingHTTPServer(("169.254.169.254", 80), Server).serve_forever()
