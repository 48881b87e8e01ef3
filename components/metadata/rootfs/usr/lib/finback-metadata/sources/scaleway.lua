-- Scaleway: lines of KEY=value, and user data that it shows to privileged ports alone.
local facts = require("facts")
local http = require("http")
local machine = require("machine")

local SERVER = "http://169.254.42.42/"

return {
	names = { "scaleway" },
	order = 56,
	network = true,
	-- The firmware names it, but for old ones of ARM, whose command line does.
	only_named = true,
	match = function()
		return machine.firmware("sys_vendor"):find("^Scaleway") ~= nil or (" " .. machine.cmdline()):find("%sscaleway") ~= nil
	end,
	read = function()
		local text = http.get(SERVER .. "conf")
		local given = {}
		for key, value in (text or ""):gmatch("([A-Z0-9_]+)=([^\r\n]*)") do
			given[key] = value:gsub("^(['\"])(.*)%1$", "%2")
		end
		if not given.ID then
			return nil
		end
		local found = facts.new("Scaleway")
		found:instance(given.ID)
		found:name(given.HOSTNAME)
		for number = 0, tonumber(given.SSH_PUBLIC_KEYS) or -1 do
			local key = given["SSH_PUBLIC_KEYS_" .. number .. "_KEY"]
			if not key or number > 1000 then
				break
			end
			found:key(key)
		end
		found:file("instance_location", given.LOCATION_ZONE_ID or given.ZONE)
		found:file("public_ip", given.PUBLIC_IP_ADDRESS)
		found:file("private_ip", given.PRIVATE_IP)
		found.userdata = http.userdata(SERVER .. "user_data/cloud-init", { low_port = true })
		return found
	end,
}
