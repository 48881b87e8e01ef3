-- NoCloud's disc alone. `cdrom` has it as well.
local discs = require("discs")

return {
	names = { "nocloud" },
	order = 21,
	read = function()
		return discs.read({ "cidata" })
	end,
}
