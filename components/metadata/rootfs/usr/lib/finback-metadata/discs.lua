-- Discs by their labels, which count with lower and upper case, and in the boot sector of a FAT file system too.
local facts = require("facts")
local machine = require("machine")
local nocloud = require("nocloud")
local openstack = require("openstack")

local discs = {}

-- LinuxKit's own: one file, or NoCloud's name of it.
local function linuxkit(found, file)
	local text = file("config", machine.MOST) or file("user-data", machine.MOST)
	found.userdata = text ~= "" and text or nil
	return found.userdata ~= nil
end

discs.READERS = {
	config = linuxkit,
	cidata = function(found, file)
		return nocloud.take(found, file) or linuxkit(found, file)
	end,
	["config-2"] = function(found, file)
		return openstack.take(found, function(name, limit)
			return file("openstack/latest/" .. name, limit)
		end)
	end,
}

-- The facts of the first disc that has one of the labels, in their order; nil when there is none.
function discs.read(labels)
	local all = machine.discs()
	for _, label in ipairs(labels) do
		for _, disc in ipairs(all) do
			if disc.type and (disc.label:lower() == label or disc.boot:lower() == label) then
				local found = machine.with_disc(disc, function(file)
					local found = facts.new("CDROM " .. disc.device)
					return discs.READERS[label](found, file) and found
				end)
				if found then
					return found
				end
			end
		end
	end
	return nil
end

return discs
