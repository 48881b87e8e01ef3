-- The server `metaldata` of bare-metal installations.
local facts = require("facts")
local http = require("http")
local identity = require("identity")

local SERVER = "http://metaldata/get/"

return {
	names = { "metaldata" },
	order = 75,
	network = true,
	-- A name that any network could answer: only machines that are told to ask it do.
	only_named = true,
	match = function()
		return false
	end,
	read = function()
		local name = http.get(SERVER .. "meta/hostname")
		if not name then
			return nil
		end
		local found = facts.new("metaldata")
		found:name(name)
		for _, file in ipairs({ "public_ipv4", "private_ipv4", "failure_domain", "machine_id", "machine_type" }) do
			found:file(file, http.get(SERVER .. "meta/" .. file))
		end
		found:instance(found.files.machine_id)
		found:key(identity.listed(http.get(SERVER .. "meta/authorized_keys") or ""))
		found.userdata = http.userdata(SERVER .. "user")
		return found
	end,
}
