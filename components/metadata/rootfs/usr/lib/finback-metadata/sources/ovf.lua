-- The environment of an OVF appliance, as vSphere and VirtualBox give it on a disc: ovf-env.xml, whose properties have the
-- names that cloud-init reads: hostname, instance-id, public-keys, user-data (base64), seedfrom (not read).
local document = require("document")
local facts = require("facts")
local machine = require("machine")
local xml = require("xml")

local function properties(text)
	local found = {}
	for attributes in text:gmatch("<[%w:]*Property%s([^>]*)>") do
		local key, value = xml.attribute(attributes, "key"), xml.attribute(attributes, "value")
		if key and value and value ~= "" then
			found[key] = value
		end
	end
	return found
end

return {
	names = { "ovf" },
	order = 25,
	read = function()
		for _, disc in ipairs(machine.discs()) do
			if disc.type == "iso9660" and (disc.label:upper():find("^OVF") or disc.device:find("^/dev/sr%d+$")) then
				local text = machine.with_disc(disc, function(file)
					return file("ovf-env.xml", machine.MOST)
				end)
				local given = text and properties(text) or {}
				if next(given) then
					local found = facts.new("OVF " .. disc.device)
					found:name(given.hostname or given["local-hostname"])
					found:instance(given["instance-id"])
					found:key(given["public-keys"])
					local data = given["user-data"]
					found.userdata = data and (document.base64(data) or data)
					return found
				end
			end
		end
		return nil
	end,
}
