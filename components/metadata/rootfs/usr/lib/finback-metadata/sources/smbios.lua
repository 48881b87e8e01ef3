-- NoCloud's other place: the serial number of SMBIOS, or the kernel's command line, is `ds=nocloud;KEY=VALUE;...` with
-- s or seedfrom (the URL in front of the files' names), h or local-hostname, i or instance-id.
local facts = require("facts")
local http = require("http")
local machine = require("machine")
local nocloud = require("nocloud")

local function words()
	for _, text in ipairs({ machine.firmware("product_serial"), machine.cmdline() }) do
		local rest = (" " .. text):match("%sds=nocloud%-?n?e?t?;?(%S*)") or (" " .. text):match("%sds=nocloud%-?n?e?t?$")
		if rest then
			local given = {}
			for key, value in rest:gmatch("([%w-]+)=([^;]*)") do
				given[key] = value
			end
			return given
		end
	end
	return nil
end

return {
	names = { "smbios" },
	order = 15,
	read = function()
		local given = words()
		local seed = given and (given.s or given.seedfrom)
		if not given or next(given) == nil then
			return nil
		end
		local found = facts.new("SMBIOS")
		if seed and seed:find("^http://") then
			seed = seed:find("/$") and seed or seed .. "/"
			nocloud.take(found, function(name, limit)
				return http.get(seed .. name, { limit = limit })
			end)
		elseif seed then
			machine.log("the seed %s is not read: only http:// is", seed)
		end
		found:name(given.h or given["local-hostname"])
		found:instance(given.i or given["instance-id"])
		return found
	end,
}
