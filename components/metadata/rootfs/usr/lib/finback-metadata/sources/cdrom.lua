-- Discs of LinuxKit (`config`), NoCloud (`cidata`) and OpenStack (`config-2`), and a disc in a drive, whatever its label.
local discs = require("discs")
local facts = require("facts")
local machine = require("machine")

-- LinuxKit looks at every disc in a drive.
local function in_a_drive()
	for _, disc in ipairs(machine.discs()) do
		if disc.device:find("^/dev/sr%d+$") and disc.type == "iso9660" then
			local found = machine.with_disc(disc, function(file)
				local found = facts.new("CDROM " .. disc.device)
				return discs.READERS.cidata(found, file) and found
			end)
			if found then
				return found
			end
		end
	end
	return nil
end

return {
	names = { "cdrom" },
	order = 20,
	read = function()
		return discs.read({ "config", "cidata", "config-2" }) or in_a_drive()
	end,
}
