-- LinuxKit's form of user data: a JSON object of files, {content, perm}, and folders, {entries, perm}, below /run/config.
local document = require("document")
local machine = require("machine")

local tree = {}

local NAME = "^[A-Za-z0-9_@%%+=:,][A-Za-z0-9_@%%+=:,.-]*$"

local function field(entry, name, kind)
	local value = entry[name]
	if value == document.null then
		return nil
	end
	if value ~= nil and type(value) ~= kind then
		error(name .. " has to be " .. (kind == "table" and "an object" or "a text"), 0)
	end
	return value
end

-- The files and folders that *entries* ask for, in order: {path, content, mode}. What has a wrong type is an error, as
-- LinuxKit takes nothing of such data; what has a wrong value costs that entry.
local function collect(entries, at, found)
	local names = {}
	for name in pairs(entries) do
		names[#names + 1] = name
	end
	table.sort(names, function(a, b)
		return tostring(a) < tostring(b)
	end)
	for _, name in ipairs(names) do
		local entry = entries[name]
		if type(name) ~= "string" or (type(entry) ~= "table" and entry ~= document.null) then
			error(tostring(name) .. " is no object", 0)
		end
		entry = entry == document.null and {} or entry
		local path = at .. name
		local content, below = field(entry, "content", "string"), field(entry, "entries", "table")
		local mode = field(entry, "perm", "string")
		mode = mode ~= "" and mode or (content and "0644" or "0755")
		local problem
		if not name:find(NAME) then
			problem = "its name is not one that a file may have here"
		elseif not mode:find("^0?[0-7][0-7][0-7]$") then
			problem = "perm is not a mode"
		elseif content and below then
			problem = "it has both content and entries"
		end
		if problem then
			found.skipped[#found.skipped + 1] = { path, problem }
			-- Types below are looked at all the same.
			collect(below or {}, path .. "/", { skipped = {} })
		elseif content then
			found[#found + 1] = { path = path, content = content, mode = mode }
		elseif below then
			found[#found + 1] = { path = path, mode = mode }
			collect(below, path .. "/", found)
		elseif next(entry) ~= nil and type(select(2, next(entry))) == "table" then
			-- The form of LinuxKit's first versions: a folder's files without `entries`.
			found[#found + 1] = { path = path, mode = mode }
			collect(entry, path .. "/", found)
		else
			found.skipped[#found.skipped + 1] = { path, "it has neither content nor entries" }
		end
	end
	return found
end

-- Whether a JSON value has this form: all that is in it are objects.
function tree.fits(value)
	for name, entry in pairs(value) do
		if type(name) ~= "string" or (type(entry) ~= "table" and entry ~= document.null) then
			return false
		end
	end
	return true
end

-- Makes the files and folders; each that can't be made is named in the log. True when the data have this form.
function tree.expand(value)
	local done, found = pcall(collect, value, "", { skipped = {} })
	if not done then
		machine.log("user data are JSON, but not of LinuxKit's form: %s", found)
		return false
	end
	for _, each in ipairs(found.skipped) do
		machine.log("%s of the user data is invalid: %s", each[1], each[2])
	end
	for _, path in ipairs(machine.write(found)) do
		machine.log("%s of the user data can't be made", path)
	end
	return true
end

return tree
