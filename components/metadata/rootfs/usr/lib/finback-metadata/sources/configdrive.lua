-- OpenStack's config drive alone. `cdrom` has it as well.
local discs = require("discs")

return {
	names = { "configdrive" },
	order = 22,
	read = function()
		return discs.read({ "config-2" })
	end,
}
