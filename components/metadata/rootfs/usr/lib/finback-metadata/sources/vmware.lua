-- VMware's guestinfo, by open-vm-tools, for images that have its program: guestinfo.KEY, guestinfo.KEY.encoding.
local document = require("document")
local facts = require("facts")
local machine = require("machine")
local nocloud = require("nocloud")

local PROGRAM = "vmware-rpctool"

local function guestinfo(key)
	local text = machine.output(machine.MOST * 2, PROGRAM, "info-get guestinfo." .. key)
	if not text or text:find("^No value found") or not text:find("%S") then
		return nil
	end
	local encoding = (machine.output(4096, PROGRAM, "info-get guestinfo." .. key .. ".encoding") or ""):lower():match("[%w+]*")
	if encoding:find("base64") or encoding:find("b64") then
		-- What is packed by gzip inside is taken apart with the user data.
		text = document.base64(text)
	end
	if text and text:sub(1, 2) == "\31\139" then
		text = machine.filter(text, machine.MOST, "busybox", "gunzip", "-c")
	end
	if not text then
		machine.log("guestinfo.%s can't be decoded", key)
	end
	return text
end

return {
	names = { "vmware" },
	order = 30,
	read = function()
		if not machine.firmware("sys_vendor"):find("^VMware") or not machine.run("which", PROGRAM) then
			return nil
		end
		local meta, user = guestinfo("metadata"), guestinfo("userdata")
		if not meta and not user then
			return nil
		end
		local found = facts.new("VMWARE")
		if meta then
			nocloud.metadata(found, meta)
			found:file("metadata", meta)
		end
		found:file("vendordata", guestinfo("vendordata"))
		found.userdata = user
		return found
	end,
}
