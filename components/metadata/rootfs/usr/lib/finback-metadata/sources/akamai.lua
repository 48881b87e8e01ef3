-- Akamai, once Linode: a token, then documents in JSON.
local document = require("document")
local facts = require("facts")
local http = require("http")
local machine = require("machine")

local SERVER = "http://169.254.169.254/v1/"

return {
	names = { "akamai" },
	order = 57,
	network = true,
	match = function()
		return machine.firmware("sys_vendor") == "Akamai" or machine.firmware("sys_vendor") == "Linode"
	end,
	read = function()
		local token = http.get(SERVER .. "token", {
			method = "PUT",
			headers = { ["Metadata-Token-Expiry-Seconds"] = "300", ["content-length"] = "0" },
		})
		if not token or not token:find("^[%w=+/_.-]+%s*$") then
			return nil
		end
		local function ask(path, limit)
			local accept = path == "user-data" and "text/plain" or "application/json"
			return http.get(SERVER .. path, { headers = { ["Metadata-Token"] = token:match("%S+"), Accept = accept }, limit = limit })
		end
		local map = document.map(document.json(ask("instance") or ""))
		if not map or not document.text(map.id) then
			return nil
		end
		local found = facts.new("Akamai")
		found:instance(map.id)
		found:name(map.label)
		found:file("region", map.region)
		found:file("instance_type", map.type)
		local keys = document.map(document.json(ask("ssh-keys") or "")) or {}
		local users = document.map(keys.users) or {}
		local names = {}
		for name in pairs(users) do
			names[#names + 1] = name
		end
		table.sort(names)
		for _, name in ipairs(names) do
			found:key(users[name])
		end
		local data = ask("user-data", machine.MOST)
		found.userdata = data and document.base64(data)
		return found
	end,
}
