-- NoCloud's files, as QEMU gives them to the guest: -fw_cfg name=opt/org.finback/user-data,file=...
local facts = require("facts")
local machine = require("machine")
local nocloud = require("nocloud")

return {
	names = { "fw_cfg" },
	order = 10,
	read = function()
		local found = facts.new("FW_CFG")
		return nocloud.take(found, function(name, limit)
			return machine.read("/sys/firmware/qemu_fw_cfg/by_name/opt/org.finback/" .. name .. "/raw", limit)
		end) and found
	end,
}
