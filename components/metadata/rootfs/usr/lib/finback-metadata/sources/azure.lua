-- Azure: the Instance Metadata Service, and the disc that the machine is provisioned with, ovf-env.xml on UDF, which has
-- custom data.
local document = require("document")
local facts = require("facts")
local http = require("http")
local machine = require("machine")
local xml = require("xml")

local URL = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"

local function disc_of(found)
	for _, disc in ipairs(machine.discs()) do
		if disc.type == "udf" then
			local text = machine.with_disc(disc, function(file)
				return file("ovf-env.xml", machine.MOST)
			end)
			if text then
				found:name(found.hostname or xml.element(text, "HostName"))
				local data = xml.element(text, "CustomData") or xml.element(text, "UserData")
				return data and document.base64(data)
			end
		end
	end
	return nil
end

return {
	names = { "azure" },
	order = 45,
	network = true,
	match = function()
		return machine.firmware("chassis_asset_tag") == "7783-7084-3265-9085-8269-3286-77"
	end,
	read = function()
		local text = http.get(URL, { headers = { Metadata = "true" } })
		local map = text and document.map(document.json(text))
		local compute = map and document.map(map.compute)
		if not compute or not document.text(compute.vmId) then
			return nil
		end
		local found = facts.new("Azure")
		found:instance(compute.vmId)
		local profile = document.map(compute.osProfile) or {}
		found:name(document.text(profile.computerName) or compute.name)
		found:file("instance_type", compute.vmSize)
		found:file("availability_zone", compute.zone)
		for _, each in ipairs(document.list(compute.publicKeys)) do
			-- Portals break keys into lines.
			found:key((document.text((document.map(each) or {}).keyData) or ""):gsub("\r?\n", ""))
		end
		local data = document.text(compute.userData)
		found.userdata = data and data ~= "" and document.base64(data) or disc_of(found)
		return found
	end,
}
