-- Google Compute Engine. Its keys have users in front of them, and may expire.
local document = require("document")
local facts = require("facts")
local http = require("http")
local identity = require("identity")
local machine = require("machine")

local SERVER = "http://169.254.169.254/computeMetadata/v1/"
local HEADERS = { ["Metadata-Flavor"] = "Google", host = "metadata.google.internal" }

local function ask(path)
	return http.get(SERVER .. path, { headers = HEADERS })
end

-- `google-ssh {"userName": "...", "expireOn": "2021-04-14T14:35:43+0000"}` at a key's end.
local function expired(line)
	local json = line:match("%sgoogle%-ssh%s+({.*})%s*$")
	local map = json and document.map(document.json(json))
	local year, month, day, hour, minute, second =
		(map and document.text(map.expireOn) or ""):match("^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)")
	if not year then
		return false
	end
	local now = os.date("!%Y%m%d%H%M%S")
	return year .. month .. day .. hour .. minute .. second < now
end

local function add_keys(found, text)
	for line in (text or ""):gmatch("[^\r\n]+") do
		local key = line:gsub("^%s+", "")
		if not identity.is_key(key) then
			key = key:gsub("^[^:%s]+:", "")
		end
		if expired(key) then
			machine.log("a key has expired, and is left out: %s", key:sub(1, 60))
		else
			found:key(key)
		end
	end
end

return {
	names = { "gcp" },
	order = 40,
	network = true,
	match = function()
		return machine.firmware("sys_vendor"):find("^Google") ~= nil or machine.firmware("product_name"):find("^Google") ~= nil
	end,
	read = function()
		local id = ask("instance/id")
		if not id then
			return nil
		end
		local found = facts.new("GCP")
		found:instance(id)
		found:name(ask("instance/hostname"))
		found:file("availability_zone", (ask("instance/zone") or ""):match("[^/]*$"))
		found:file("instance_type", (ask("instance/machine-type") or ""):match("[^/]*$"))
		found:file("local_ipv4", ask("instance/network-interfaces/0/ip"))
		found:file("public_ipv4", ask("instance/network-interfaces/0/access-configs/0/external-ip"))
		add_keys(found, ask("instance/attributes/ssh-keys"))
		local blocked = ask("instance/attributes/block-project-ssh-keys") or ""
		if not document.truth(blocked:match("^%s*(%S*)")) then
			add_keys(found, ask("project/attributes/ssh-keys"))
		end
		for _, name in ipairs({ "userdata", "user-data" }) do
			found.userdata = found.userdata or http.userdata(SERVER .. "instance/attributes/" .. name, { headers = HEADERS })
		end
		local encoding = found.userdata and ask("instance/attributes/user-data-encoding")
		if encoding == "base64" then
			found.userdata = document.base64(found.userdata) or found.userdata
		end
		return found
	end,
}
