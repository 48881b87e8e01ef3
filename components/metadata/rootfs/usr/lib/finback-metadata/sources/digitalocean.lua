-- DigitalOcean.
local facts = require("facts")
local http = require("http")
local identity = require("identity")
local machine = require("machine")

local SERVER = "http://169.254.169.254/metadata/v1/"

return {
	names = { "digitalocean" },
	order = 52,
	network = true,
	match = function()
		return machine.firmware("sys_vendor"):find("^DigitalOcean") ~= nil
	end,
	read = function()
		local id = http.get(SERVER .. "id")
		if not id then
			return nil
		end
		local found = facts.new("DigitalOcean")
		found:instance(id)
		found:file("id", id)
		found:name(http.get(SERVER .. "hostname"))
		found:key(identity.listed(http.get(SERVER .. "public-keys") or ""))
		found:file("region", http.get(SERVER .. "region"))
		found:file("public_ipv4", http.get(SERVER .. "interfaces/public/0/ipv4/address"))
		found:file("private_ipv4", http.get(SERVER .. "interfaces/private/0/ipv4/address"))
		found.userdata = http.userdata(SERVER .. "user-data")
		return found
	end,
}
