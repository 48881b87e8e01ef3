-- Hetzner Cloud.
local facts = require("facts")
local http = require("http")
local identity = require("identity")
local machine = require("machine")

local SERVER = "http://169.254.169.254/hetzner/v1/"

return {
	names = { "hetzner" },
	order = 50,
	network = true,
	match = function()
		return machine.firmware("sys_vendor"):find("^Hetzner") ~= nil
	end,
	read = function()
		local id = http.get(SERVER .. "metadata/instance-id")
		if not id then
			return nil
		end
		local found = facts.new("Hetzner")
		found:instance(id)
		found:name(http.get(SERVER .. "metadata/hostname"))
		found:key(identity.listed(http.get(SERVER .. "metadata/public-keys") or ""))
		found:file("public_ipv4", http.get(SERVER .. "metadata/public-ipv4"))
		found:file("local_ipv4", http.get(SERVER .. "metadata/local-ipv4"))
		found:file("availability_zone", http.get(SERVER .. "metadata/availability-zone"))
		found.userdata = http.userdata(SERVER .. "userdata")
		return found
	end,
}
