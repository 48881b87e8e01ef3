-- cloud-config, as far as a system of finback has something that it can say: the machine's name, keys, and files. Everything
-- else is named in the log. See cloud-init's reference of modules.
local document = require("document")
local identity = require("identity")
local machine = require("machine")
local salvage = require("salvage")

local cloudconfig = {}

local FILES = 500

function cloudconfig.new()
	return { keys = {}, files = {} }
end

local function named(what)
	return function(line)
		machine.log("%s: this is no public key, and left out: %s", what, line:sub(1, 60))
	end
end

local function add_keys(settings, value, what)
	for number, each in ipairs(document.list(value)) do
		local text = document.text(each)
		-- Lists in lists come from anchors.
		if type(each) == "table" and each[1] then
			for _, inner in ipairs(each) do
				identity.add_keys(settings.keys, document.text(inner) or "?", named(what))
			end
		elseif text then
			identity.add_keys(settings.keys, text, named(what))
		else
			machine.log("%s: entry %d is no text, and left out", what, number)
		end
	end
end

-- The value of a key that may be written with `-` for `_`, as cloud-init's own examples did.
local function either(map, name)
	local value = map[name]
	if value == nil then
		value = map[name:gsub("_", "-")]
	end
	return value
end

-- A user has nothing here but keys, which let into the machine: it has one user that can log in.
local USER = {
	name = true, ssh_authorized_keys = true, gecos = true, groups = true, sudo = true, shell = true, lock_passwd = true,
	homedir = true, primary_group = true, no_create_home = true, system = true, uid = true, doas = true, inactive = true,
}

local function add_user(settings, value, name)
	local map = document.map(value)
	if not map then
		return
	end
	name = document.text(map.name) or name or "?"
	add_keys(settings, either(map, "ssh_authorized_keys"), "user " .. name)
	local others = {}
	for key in pairs(map) do
		if not USER[key:gsub("-", "_")] then
			others[#others + 1] = key
		end
	end
	if #others > 0 then
		table.sort(others)
		machine.log("user %s: this is not used: %s", name, table.concat(others, " "))
	end
end

local function add_users(settings, value)
	if document.map(value) and next(value) ~= nil then
		-- The old form: a mapping of names.
		local names = {}
		for name in pairs(value) do
			names[#names + 1] = name
		end
		table.sort(names)
		if value.name ~= nil and type(value.name) ~= "table" then
			return add_user(settings, value)
		end
		for _, name in ipairs(names) do
			add_user(settings, value[name], name)
		end
		return
	end
	for number, each in ipairs(document.list(value)) do
		if document.map(each) then
			add_user(settings, each)
		elseif type(each) ~= "string" then
			machine.log("users: entry %d is neither a name nor a mapping, and left out", number)
		end
	end
end

local PACKED = { gz = true, gzip = true, ["gz+b64"] = true, ["gz+base64"] = true, ["gzip+b64"] = true, ["gzip+base64"] = true }
local CODED = { b64 = true, base64 = true, ["gz+b64"] = true, ["gz+base64"] = true, ["gzip+b64"] = true,
	["gzip+base64"] = true }
local PLAIN = { [""] = true, ["text/plain"] = true }

local function content_of(entry)
	local text = entry.content == nil and "" or document.text(entry.content)
	if entry.content == document.null then
		text = ""
	end
	if text == nil then
		return nil, "content is no text"
	end
	local encoding = (document.text(entry.encoding) or ""):lower():gsub("%s+", "")
	if not (PLAIN[encoding] or PACKED[encoding] or CODED[encoding]) then
		return nil, "there is no encoding " .. encoding
	end
	if CODED[encoding] then
		text = document.base64(text)
		if not text then
			return nil, "content is not base64"
		end
	end
	if PACKED[encoding] then
		local why
		text, why = machine.filter(text, machine.MOST, "busybox", "gunzip", "-c")
		if not text then
			return nil, why and "content is longer than " .. machine.MOST .. " bytes" or "content is not packed by gzip"
		end
	end
	return text
end

-- Octal digits; JSON's numbers, which have no octal form, are the mode itself.
local function mode_of(value)
	if value == nil or value == document.null then
		return "0644"
	elseif type(value) == "number" then
		return value >= 0 and value <= 4095 and string.format("%04o", math.floor(value)) or nil
	end
	local digits = (document.text(value) or ""):match("^0?o?([0-7]+)$")
	return digits and #digits <= 4 and ("0"):rep(4 - #digits) .. digits or nil
end

-- One entry of write_files; nil and why when it is none.
local function file_of(entry)
	if not document.map(entry) then
		return nil, "it is no mapping"
	end
	local path = document.text(entry.path)
	if not path or path:sub(1, 1) ~= "/" then
		return nil, "path has to begin with /"
	elseif path:find("[%z\1-\31\127]") or #path > 4000 then
		return nil, "path is none"
	elseif (path .. "/"):find("/%.%.?/") or path:find("//") or path:sub(-1) == "/" then
		return nil, "path has to be the plain path of a file"
	elseif path:find("^/dev/") or path:find("^/proc/") or path:find("^/sys/") then
		return nil, "path is below a folder of the kernel's"
	elseif entry.source ~= nil and entry.source ~= document.null then
		return nil, "source is not fetched"
	end
	local mode = mode_of(entry.permissions)
	local owner = document.text(entry.owner) or "root:root"
	if not mode then
		return nil, "permissions are no mode"
	elseif not owner:find("^[%w_.-]+:?[%w_.-]*$") or owner:find("^%-") then
		return nil, "owner is none"
	end
	local content, why = content_of(entry)
	if not content then
		return nil, why
	end
	return { path = path, mode = mode, owner = owner, content = content, append = document.truth(entry.append) }
end

local function add_files(settings, value)
	for number, entry in ipairs(document.list(value)) do
		local file, why = file_of(entry)
		if #settings.files >= FILES then
			machine.log("write_files: more than %d files: the rest is left out", FILES)
			return
		elseif file then
			settings.files[#settings.files + 1] = file
		else
			local path = document.map(entry) and document.text(entry.path)
			machine.log("write_files: entry %d%s is left out: %s", number, path and " (" .. path .. ")" or "", why)
		end
	end
end

local function text_setting(name)
	return function(settings, value)
		local text = document.text(value)
		if text then
			settings[name] = text
		elseif value ~= document.null then
			machine.log("%s is no text, and left out", name)
		end
	end
end

local function truth_setting(name)
	return function(settings, value)
		settings[name] = document.truth(value)
	end
end

local KEYS = {
	hostname = text_setting("hostname"),
	fqdn = text_setting("fqdn"),
	prefer_fqdn_over_hostname = truth_setting("prefer_fqdn"),
	preserve_hostname = truth_setting("preserve_hostname"),
	ssh_authorized_keys = function(settings, value)
		add_keys(settings, value, "ssh_authorized_keys")
	end,
	users = add_users,
	user = function(settings, value)
		add_user(settings, value)
	end,
	-- Of what distributions put into their images, the default user may have keys.
	system_info = function(settings, value)
		add_user(settings, (document.map(value) or {}).default_user)
	end,
	write_files = add_files,
	-- How parts come together; all that is read here adds up.
	merge_how = function() end,
	merge_type = function() end,
}

-- Whether a mapping has keys of cloud-config.
function cloudconfig.resembles(map)
	for _, name in ipairs({ "hostname", "fqdn", "ssh_authorized_keys", "users", "write_files", "runcmd", "packages" }) do
		if map[name] ~= nil then
			return true
		end
	end
	return false
end

-- Adds what a document says to *settings*.
function cloudconfig.add(settings, map)
	local names, others = {}, {}
	for name in pairs(map) do
		names[#names + 1] = name
	end
	table.sort(names)
	for _, name in ipairs(names) do
		local set = KEYS[name] or KEYS[(name:gsub("-", "_"))]
		if set then
			set(settings, map[name])
		else
			others[#others + 1] = name
		end
	end
	if #others > 0 then
		machine.log("of the cloud-config, this is not understood: %s", table.concat(others, " "))
	end
end

-- Adds what the text of a cloud-config says to *settings*.
function cloudconfig.read(settings, text)
	local body = text:gsub("^[^\n{]*#cloud%-config[^\n]*\n", "")
	local value, why = document.any(body:match("^%s*{") and body or text)
	if document.map(value) then
		cloudconfig.add(settings, value)
	elseif value == nil then
		machine.log("the cloud-config is not YAML as a whole: %s", why)
		salvage(text, "the cloud-config", function(piece)
			cloudconfig.add(settings, piece)
		end)
	elseif value ~= document.null then
		machine.log("the cloud-config is no mapping, and not read")
	end
end

-- The name that the settings give the machine. A full name counts with prefer_fqdn_over_hostname, or where it is the only
-- one; then, as cloud-init has it, its first label does.
function cloudconfig.hostname(settings)
	if settings.prefer_fqdn and settings.fqdn then
		return settings.fqdn
	end
	return settings.hostname or (settings.fqdn and settings.fqdn:match("^[^.]*"))
end

return cloudconfig
