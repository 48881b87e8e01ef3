-- Oracle Cloud: version 2 of its service.
local document = require("document")
local facts = require("facts")
local http = require("http")
local machine = require("machine")

local URL = "http://169.254.169.254/opc/v2/instance/"

return {
	names = { "oracle" },
	order = 46,
	network = true,
	match = function()
		return machine.firmware("chassis_asset_tag") == "OracleCloud.com"
	end,
	read = function()
		local text = http.get(URL, { headers = { Authorization = "Bearer Oracle" }, limit = machine.MOST })
		local map = text and document.map(document.json(text))
		if not map or not document.text(map.id) then
			return nil
		end
		local found = facts.new("Oracle")
		found:instance(map.id)
		found:name(map.hostname or map.displayName)
		found:file("instance_type", map.shape)
		found:file("availability_zone", map.availabilityDomain)
		local given = document.map(map.metadata) or {}
		found:key(given.ssh_authorized_keys)
		local data = document.text(given.user_data)
		found.userdata = data and document.base64(data)
		return found
	end,
}
