-- A file of the container: file=PATH.
local facts = require("facts")
local machine = require("machine")

return {
	names = { "file" },
	order = 90,
	argument = "PATH",
	read = function(path)
		local text, why = machine.read(path, machine.MOST)
		if why == "long" then
			machine.log("user data are longer than %d bytes, and left out", machine.MOST)
		end
		if not text or text == "" then
			return nil
		end
		local found = facts.new(path)
		found.userdata = text
		return found
	end,
}
