-- OpenStack's service: the same files as on its config drive; and EC2's paths, where a cloud has those alone.
local ec2 = require("ec2")
local facts = require("facts")
local http = require("http")
local machine = require("machine")
local openstack = require("openstack")

local SERVER = "http://169.254.169.254"
local TAGS = { OpenTelekomCloud = true, ["SAP CCloud VM"] = true, ["Samsung Cloud Platform"] = true, HUAWEICLOUD = true,
	["OpenStack Nova"] = true, ["OpenStack Compute"] = true }

return {
	names = { "openstack" },
	order = 60,
	network = true,
	match = function()
		return machine.firmware("product_name"):find("^OpenStack") ~= nil or machine.firmware("sys_vendor"):find("^OpenStack") ~= nil
			or TAGS[machine.firmware("chassis_asset_tag")] == true
	end,
	read = function()
		local found = facts.new("openstack")
		local there = openstack.take(found, function(name, limit)
			return http.get(SERVER .. "/openstack/latest/" .. name, { limit = limit })
		end)
		if there then
			for _, name in ipairs({ "local-ipv4", "public-ipv4", "instance-type", "local-hostname" }) do
				found:file((name:gsub("-", "_")), http.get(SERVER .. "/latest/meta-data/" .. name))
			end
			return found
		end
		return ec2.take(found, SERVER) and found
	end,
}
