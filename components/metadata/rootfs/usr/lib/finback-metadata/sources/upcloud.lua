-- UpCloud: one JSON document.
local document = require("document")
local facts = require("facts")
local http = require("http")
local machine = require("machine")

local URL = "http://169.254.169.254/metadata/v1.json"

return {
	names = { "upcloud" },
	order = 51,
	network = true,
	match = function()
		return machine.firmware("sys_vendor") == "UpCloud"
	end,
	read = function()
		local text = http.get(URL, { limit = machine.MOST })
		local map = text and document.map(document.json(text))
		-- DigitalOcean has a document at the same place.
		if not map or document.text(map.cloud_name) ~= "upcloud" then
			return nil
		end
		local found = facts.new("UpCloud")
		found:instance(map.instance_id)
		found:name(map.hostname)
		found:key(map.public_keys)
		found:file("region", map.region)
		local data = document.text(map.user_data)
		found.userdata = data ~= "" and data or nil
		return found
	end,
}
