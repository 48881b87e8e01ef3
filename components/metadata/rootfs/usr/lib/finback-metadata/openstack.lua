-- OpenStack's metadata, from its service or its config drive: meta_data.json, user_data, network_data.json, vendor_data.json.
local document = require("document")
local machine = require("machine")
local nocloud = require("nocloud")

local openstack = {}

-- Adds what the files of openstack/latest say that *read* returns by name; false when there are none.
function openstack.take(found, read)
	local text = read("meta_data.json", machine.LITTLE)
	if text == nil then
		return false
	end
	local map = document.map(document.json(text))
	if map then
		found:name(map.hostname or map.name)
		found:instance(map.uuid)
		found:file("availability_zone", map.availability_zone)
		nocloud.add_keys(found, map.public_keys, 1)
	else
		machine.log("meta_data.json is not understood")
	end
	found:file("meta_data.json", text)
	local user, why = read("user_data", machine.MOST)
	if why == "long" then
		machine.log("user data are longer than %d bytes, and left out", machine.MOST)
	end
	found.userdata = user ~= "" and user or nil
	local network = read("network_data.json", machine.LITTLE)
	if network then
		found:file("network_data.json", network)
		machine.log("network_data.json is kept, and not applied: the network is that of the system's file")
	end
	found:file("vendor_data.json", read("vendor_data.json", machine.LITTLE))
	return true
end

return openstack
