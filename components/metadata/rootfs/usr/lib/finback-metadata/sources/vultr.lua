-- Vultr.
local facts = require("facts")
local http = require("http")
local identity = require("identity")
local machine = require("machine")

local SERVER = "http://169.254.169.254/v1/"

return {
	names = { "vultr" },
	order = 54,
	network = true,
	match = function()
		return machine.firmware("sys_vendor"):find("^Vultr") ~= nil
	end,
	read = function()
		local id = http.get(SERVER .. "instance-v2-id") or http.get(SERVER .. "instanceid")
		if not id then
			return nil
		end
		local found = facts.new("Vultr")
		found:instance(id)
		found:name(http.get(SERVER .. "hostname"))
		found:key(identity.listed(http.get(SERVER .. "public-keys") or ""))
		found:file("region_code", http.get(SERVER .. "region/regioncode"))
		-- The second interface is there with a private network alone.
		found:file("public_ipv4", http.get(SERVER .. "interfaces/0/ipv4/address"))
		found:file("private_ipv4", http.get(SERVER .. "interfaces/1/ipv4/address"))
		found:file("private_netmask", http.get(SERVER .. "interfaces/1/ipv4/netmask"))
		found.userdata = http.userdata("http://169.254.169.254/latest/user-data")
		return found
	end,
}
