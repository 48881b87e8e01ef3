-- What the other modules see of the machine: files, programs, discs, the log. FINBACK_ROOT names a folder in the place of /.
local machine = {}

local root = os.getenv("FINBACK_ROOT") or ""
-- Where the container has the machine's own root.
local host = root .. "/hostroot"

-- Bytes of user data, and of anything else that is read as one piece.
machine.MOST = 1048576
machine.LITTLE = 65536

local lines = 0

-- Prints a line for the machine's log. Words of strangers are in it: no control characters, and not without end.
function machine.log(...)
	lines = lines + 1
	if lines > 200 then
		if lines == 201 then
			io.stdout:write("more than 200 lines: the rest is left out\n")
		end
		return
	end
	local line = string.format(...):gsub("%c", "?")
	if #line > 400 then
		line = line:sub(1, 400) .. "..."
	end
	io.stdout:write(line, "\n")
	io.stdout:flush()
end

local function quote(word)
	return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function command(words)
	local quoted = {}
	for index, word in ipairs(words) do
		quoted[index] = quote(word)
	end
	return table.concat(quoted, " ")
end

-- Runs a program; true when it succeeds.
function machine.run(...)
	return os.execute(command({ ... }) .. " >/dev/null 2>&1") == true
end

-- Runs a script of the shell with arguments; true when it succeeds. Processes are what a boot waits for.
local function script(text, ...)
	return os.execute("set -- " .. command({ ... }) .. "; { " .. text .. "; } >/dev/null 2>&1") == true
end

-- What a program prints, at most *limit* bytes of it; nil when it fails, and nil, "long" when it prints more.
function machine.output(limit, ...)
	local pipe = assert(io.popen(command({ ... }) .. " 2>/dev/null"))
	local text = pipe:read(limit + 1) or ""
	local done = pipe:close()
	if #text > limit then
		return nil, "long"
	end
	return done and text or nil
end

-- Gives *bytes* to the standard input of a program, and returns what that prints, as `output` does.
function machine.filter(bytes, limit, ...)
	local name = os.tmpname()
	local file = assert(io.open(name, "wb"))
	file:write(bytes)
	file:close()
	local pipe = assert(io.popen(command({ ... }) .. " <" .. quote(name) .. " 2>/dev/null"))
	local text = pipe:read(limit + 1) or ""
	local done = pipe:close()
	os.remove(name)
	if #text > limit then
		return nil, "long"
	end
	return done and text or nil
end

-- The content of a file of the container, of at most *limit* bytes; nil, "long" when it is longer, nil when it can't be read.
function machine.read(path, limit)
	limit = limit or machine.LITTLE
	local file = io.open(root .. path, "rb")
	if not file then
		return nil
	end
	local text = file:read(limit + 1)
	file:close()
	if text == nil then
		return nil
	elseif #text > limit then
		return nil, "long"
	end
	return text
end

-- What the firmware says of the machine, a name of /sys/class/dmi/id, in one line; "" where it says nothing.
function machine.firmware(name)
	local text = machine.read("/sys/class/dmi/id/" .. name, 4096) or ""
	return text:match("^[^\n]*")
end

-- The words of the kernel's command line.
function machine.cmdline()
	return machine.read("/proc/cmdline", machine.LITTLE) or ""
end

-- The machine's disks, partitions and discs that have a file system: {device, type, label, boot}, where `boot` is the label
-- that a FAT file system has in its boot sector, and may have there alone.
function machine.discs()
	local nodes = {}
	for name in (machine.output(machine.LITTLE, "busybox", "ls", root .. "/sys/class/block") or ""):gmatch("[^\n]+") do
		if not (name:match("^loop") or name:match("^z?ram") or name:match("^nbd") or name:match("^fd")) then
			nodes[#nodes + 1] = "/dev/" .. name
		end
	end
	if #nodes == 0 then
		return {}
	end
	local found, disc = {}, nil
	-- Each by itself: blkid passes over all devices behind one that has nothing, such as a new disk.
	local each = 'for device; do blkid -p -o export "$device"; done; true'
	local text = machine.output(machine.MOST, "sh", "-c", each, "blkid", table.unpack(nodes))
	for line in (text or ""):gmatch("[^\n]+") do
		local key, value = line:match("^([A-Z_]+)=(.*)$")
		-- blkid writes a blank as `\ `.
		value = value and value:gsub("\\(.)", "%1"):gsub("%s+$", "")
		if key == "DEVNAME" then
			disc = { device = value, label = "", boot = "" }
			found[#found + 1] = disc
		elseif disc and key == "TYPE" then
			disc.type = value
		elseif disc and key == "LABEL" then
			disc.label = value
		elseif disc and key == "LABEL_FATBOOT" then
			disc.boot = value
		end
	end
	return found
end

-- Calls *read* with a function that returns files of the disc by their names, with upper or lower case, and returns what
-- *read* returns; nil when the disc can't be mounted.
function machine.with_disc(disc, read)
	-- Named, the kernel loads the module of its file system.
	if not machine.run("mount", "-o", "ro", "-t", disc.type, disc.device, root .. "/mnt") then
		machine.log("%s has the label %s, and can't be mounted", disc.device, disc.label)
		return nil
	end
	local function file(path, limit)
		local text, why = machine.read("/mnt/" .. path, limit)
		if text == nil and why == nil and not path:find("/") then
			for name in (machine.output(machine.LITTLE, "busybox", "ls", root .. "/mnt") or ""):gmatch("[^\n]+") do
				if name:lower() == path then
					return machine.read("/mnt/" .. name, limit)
				end
			end
		end
		return text, why
	end
	local done, result = pcall(read, file)
	machine.run("umount", root .. "/mnt")
	if not done then
		error(result, 0)
	end
	return result
end

local function put(path, bytes)
	local file = io.open(path, "wb")
	return file ~= nil and file:write(bytes) ~= nil and file:close() == true
end

-- Puts *bytes* at *path*, whole or not at all; the folder is there, and what is there is replaced.
local function place(path, bytes, mode, owner)
	local stage = path:match("^(.*)/[^/]*$") .. "/.finback-metadata"
	local new = stage .. "/new"
	local done = script('rm -rf "$1" && mkdir -m 700 "$1"', stage)
		and put(new, bytes)
		and script('chmod "$1" "$3" && { [ -z "$2" ] || chown "$2" "$3"; }', mode, owner or "", new)
		and os.rename(new, path) == true
	os.remove(new)
	os.remove(stage)
	return done
end

-- Runs a program with many names, by way of a file.
local function each(stage, names, program)
	return #names == 0
		or (put(stage .. "/names", table.concat(names, "\0") .. "\0") and script("xargs -0 " .. program .. ' <"$1/names"', stage))
end

-- Makes files and folders below /run/config: {path, content, mode}, without content a folder. A file appears whole or not at
-- all, and nobody else can read it before it has its mode. Returns the paths of those that can't be made.
function machine.write(entries)
	local base = root .. "/run/config/"
	local stage = base .. ".finback-metadata"
	local folders, modes, failed = {}, {}, {}
	for number, entry in ipairs(entries) do
		local path = base .. entry.path
		folders[number] = entry.content and path:match("^(.*)/") or path
		local changed = entry.content and stage .. "/" .. number or path
		-- Files are made with 0644, folders with 0755.
		if tonumber(entry.mode, 8) ~= (entry.content and 420 or 493) then
			local key = entry.mode .. (entry.content and "" or " ")
			modes[key] = modes[key] or {}
			table.insert(modes[key], changed)
		end
	end
	script('umask 022; mkdir -p "$1" && rm -rf "$2" && mkdir -m 700 "$2"', base, stage)
	each(stage, folders, "mkdir -p")
	for number, entry in ipairs(entries) do
		if entry.content and not put(stage .. "/" .. number, entry.content) then
			failed[entry.path] = true
		end
	end
	for mode, names in pairs(modes) do
		if not mode:find(" ") and not each(stage, names, "chmod " .. mode) then
			-- Which of them is not known.
			for _, name in ipairs(names) do
				os.remove(name)
			end
		end
	end
	local left = {}
	for number, entry in ipairs(entries) do
		if entry.content and (failed[entry.path] or not os.rename(stage .. "/" .. number, base .. entry.path)) then
			left[#left + 1] = entry.path
		elseif not entry.content and not os.rename(base .. entry.path, base .. entry.path) then
			left[#left + 1] = entry.path
		end
	end
	-- Folders last: one may forbid to write to it.
	for mode, names in pairs(modes) do
		if mode:find(" ") then
			each(stage, names, "chmod " .. mode)
		end
	end
	script('rm -rf "$1"', stage)
	return left
end

-- Writes a file of the machine's own root; false, and why, when that is not possible.
function machine.install(path, bytes, mode, owner)
	local folder = path:match("^(.*)/[^/]*$")
	-- Links of the machine lead to its own places, not to the container's.
	local base = machine.output(4096, "busybox", "readlink", "-f", host)
	local real = machine.output(4096, "sh", "-c", 'mkdir -p "$1" && readlink -f "$1"', "sh", host .. folder)
	if not base or not real or (real:gsub("\n$", "") .. "/"):sub(1, #base) ~= base:gsub("\n$", "/") then
		return false, "its folder can't be made, or is a link"
	end
	return place(host .. path, bytes, mode, owner), "it can't be written"
end

-- The content of a file of the machine's own root.
function machine.installed(path)
	return machine.read("/hostroot" .. path, machine.MOST)
end

-- Gives the kernel the machine's name.
function machine.set_hostname(name)
	return machine.run("hostname", name)
end

-- Writes /run/machine-id, machine-id(5), which stays the same for the same *identity*.
function machine.set_identity(identity)
	local sum = machine.filter(identity .. "\n", 256, "busybox", "md5sum")
	return sum ~= nil and place(root .. "/run/machine-id", sum:sub(1, 32) .. "\n", "0644")
end

return machine
