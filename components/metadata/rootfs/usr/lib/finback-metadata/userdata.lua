-- User data: what they are, and what is in them. They are kept as they came; here they are taken apart, by cloud-init's
-- documentation of formats: packed by gzip or base64, MIME of several parts, an archive, cloud-config, LinuxKit's JSON.
-- What the machine does not do, such as running a script, is named in the log.
local cloudconfig = require("cloudconfig")
local document = require("document")
local machine = require("machine")
local mime = require("mime")
local tree = require("tree")

local userdata = {}

-- Levels of packing, and parts of all of them.
local LEVELS, PARTS = 5, 100
-- Bytes of a MIME entity's header.
local HEADER = 65536

local KEPT = "; the data are in /run/config/userdata"
local HEADS = {
	{ "#cloud-config-archive", "archive" },
	{ "#cloud-config-jsonp", "a JSON patch is not applied" },
	{ "#cloud-config", "cloud-config" },
	{ "#cloud-boothook", "a boothook is not run" },
	{ "#include", "what #include names is not fetched" },
	{ "#part-handler", "a part handler is not run" },
	{ "#upstart-job", "an upstart job is not run" },
	{ "## template: jinja", "jinja" },
	{ "#!", "a script is not run" },
	{ "<powershell>", "a script for Windows is not run" },
}
local TYPES = {
	["text/cloud-config"] = "cloud-config",
	["text/cloud-config-archive"] = "archive",
	["text/cloud-config-jsonp"] = "a JSON patch is not applied",
	["text/x-shellscript"] = "a script is not run",
	["text/x-shellscript-per-boot"] = "a script is not run",
	["text/x-shellscript-per-instance"] = "a script is not run",
	["text/x-shellscript-per-once"] = "a script is not run",
	["text/cloud-boothook"] = "a boothook is not run",
	["text/x-include-url"] = "what an include names is not fetched",
	["text/x-include-once-url"] = "what an include names is not fetched",
	["text/part-handler"] = "a part handler is not run",
	["text/upstart-job"] = "an upstart job is not run",
	["text/jinja2"] = "jinja",
}

-- Text in UTF-16, as some editors of Windows write it, in UTF-8; anything else as it is.
local function from_utf16(text)
	local order = ({ ["\255\254"] = "<", ["\254\255"] = ">" })[text:sub(1, 2)]
	if not order then
		return text
	end
	local made, high = {}, nil
	for at = 3, #text - 1, 2 do
		local unit = string.unpack(order .. "I2", text, at)
		if unit >= 0xD800 and unit < 0xDC00 then
			high = unit
		elseif unit >= 0xDC00 and unit < 0xE000 then
			made[#made + 1] = high and utf8.char(0x10000 + (high - 0xD800) * 0x400 + unit - 0xDC00) or "?"
			high = nil
		else
			made[#made + 1] = utf8.char(unit)
		end
	end
	return table.concat(made)
end

-- What the first line of *text* says that it is, after blank lines and comments: a word of ours, or a sentence for the log.
local function head(text)
	for line in text:sub(1, 4096):gmatch("[^\n]*") do
		line = document.trim(line)
		local lower = line:lower()
		for _, pair in ipairs(HEADS) do
			if lower:sub(1, #pair[1]) == pair[1] then
				return pair[2]
			end
		end
		if line ~= "" and line:sub(1, 1) ~= "#" then
			break
		end
	end
	if text:match("^%s*{") then
		return "json"
	end
	local header = (text:sub(1, 4096):gsub("^From [^\n]*\n", "") .. "\n\n"):match("^(.-)\n\n"):lower()
	local mime_header = header:find("^[%w-]+:")
		and (header:find("^mime%-version:") or ("\n" .. header):find("\ncontent%-type:%s*[%w]+/"))
	return mime_header and "mime" or nil
end

-- The header of a MIME entity, by lower-case names, and its body.
local function entity(text)
	text = text:gsub("^From [^\n]*\n", "")
	local header, name, at = {}, nil, 1
	while true do
		local line, last = text:match("^([^\n]*)\n()", at)
		if not line then
			line, last = text:sub(at), #text + 1
		end
		line = line:gsub("\r$", "")
		if at > HEADER then
			return {}, ""
		elseif line == "" then
			return header, text:sub(last)
		elseif line:find("^[ \t]") and name then
			header[name] = header[name] .. " " .. line:gsub("^%s+", "")
		else
			local key, value = line:match("^([%w-]+):%s*(.*)$")
			if not key then
				return header, text:sub(at)
			end
			name = key:lower()
			header[name] = value
		end
		at = last
		if at > #text then
			return header, ""
		end
	end
end

-- The texts between the boundaries of a multi-part body.
local function parts(body, boundary)
	local found, current = {}, nil
	for line, ending in (body .. "\n"):gmatch("([^\n]*)(\n)") do
		local bare = line:sub(1, 2) == "--" and document.trim(line)
		if bare == "--" .. boundary or bare == "--" .. boundary .. "--" then
			if current then
				-- The line end before the boundary belongs to that.
				found[#found + 1] = table.concat(current):gsub("\r?\n$", "")
			end
			current = {}
			if bare ~= "--" .. boundary then
				return found
			end
		elseif current then
			current[#current + 1] = line
			current[#current + 1] = ending
		end
	end
	-- Without the last boundary, what was begun counts.
	if current and #current > 0 then
		found[#found + 1] = table.concat(current)
	end
	return found
end

local function decoded(body, encoding)
	encoding = (encoding or ""):lower():match("^%s*(%S*)")
	if encoding == "base64" then
		return document.base64(body)
	elseif encoding == "quoted-printable" then
		local text = mime.unqp((body:gsub("\r?\n", "\r\n")))
		return text and text:gsub("\r\n", "\n")
	elseif encoding == "" or encoding == "7bit" or encoding == "8bit" or encoding == "binary" then
		return body
	end
	return nil
end

local reader = {}
reader.__index = reader

function reader:mime(text, level)
	local header, body = entity(text)
	local kind = (header["content-type"] or "text/plain"):lower():match("^%s*([^%s;]+)") or ""
	if kind:find("^multipart/") then
		local boundary = header["content-type"]:match('[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]%s*=%s*"([^"]*)"')
			or header["content-type"]:match("[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]%s*=%s*([^%s;]+)")
		if not boundary or boundary == "" then
			machine.log("user data are MIME without a boundary%s", KEPT)
			return
		end
		for _, part in ipairs(parts(body, boundary)) do
			self:mime(part, level + 1)
		end
		return
	end
	local content = decoded(body, header["content-transfer-encoding"])
	if not content then
		machine.log("a part of the user data, %s, can't be decoded", kind)
	elseif content:find("%S") then
		self:read(content, level + 1, TYPES[kind])
	end
end

function reader:archive(text, level)
	local list, why = document.any(text)
	if type(list) ~= "table" then
		machine.log("the archive in the user data is not understood: %s", why or "no list")
		return
	end
	for number, each in ipairs(list) do
		local map = document.map(each)
		local content = document.text(map and map.content or each)
		if content then
			self:read(content, level + 1, map and TYPES[document.text(map.type) or ""])
		else
			machine.log("part %d of the archive has no content", number)
		end
	end
end

function reader:json(text)
	local value, why = document.json(text)
	if not document.map(value) then
		machine.log("user data are not the JSON that they look like: %s%s", why or "no object", KEPT)
	elseif value.ignition then
		machine.log("an Ignition configuration is not applied%s", KEPT)
	elseif not tree.fits(value) and cloudconfig.resembles(value) then
		machine.log("user data are read as cloud-config, though #cloud-config is not in front of them")
		cloudconfig.add(self.settings, value)
	else
		self.expand[#self.expand + 1] = value
	end
end

-- Takes apart *text*, which is what *kind* says, or what it looks like.
function reader:read(text, level, kind)
	self.parts = self.parts + 1
	if level > LEVELS or self.parts > PARTS then
		machine.log("user data have more than %d levels or %d parts: the rest is not read", LEVELS, PARTS)
		return
	end
	if text:sub(1, 2) == "\31\139" then
		local plain, why = machine.filter(text, machine.MOST, "busybox", "gunzip", "-c")
		if not plain then
			machine.log("packed user data %s", why and "are longer than " .. machine.MOST .. " bytes" or "are damaged")
			return
		end
		return self:read(plain, level + 1, kind)
	end
	-- A mark of the byte order; other editors' line ends.
	text = from_utf16(text):gsub("^\239\187\191", ""):gsub("\r\n", "\n")
	local found = head(text)
	-- A part may be called a script, and be cloud-config to its reader alone.
	kind = kind or found
	if kind == "cloud-config" then
		if found and found ~= "cloud-config" and found ~= "json" then
			self:read(text, level + 1, found)
		else
			cloudconfig.read(self.settings, text)
		end
	elseif kind == "jinja" then
		local body = text:gsub("^%s*##[^\n]*\n", "")
		if body:find("{[{%%#]") then
			machine.log("in the user data, a jinja template is not rendered, and so not read%s", KEPT)
		else
			self:read(body, level + 1)
		end
	elseif kind == "archive" then
		self:archive(text, level)
	elseif kind == "mime" then
		self:mime(text, level)
	elseif kind == "json" then
		self:json(text)
	elseif kind then
		machine.log("in the user data, %s%s", kind, KEPT)
	else
		local inner = #text < machine.MOST and document.base64(text)
		if inner and (inner:sub(1, 2) == "\31\139" or head(inner)) then
			return self:read(inner, level + 1)
		end
		machine.log("user data are in no form that is understood here%s", KEPT)
		if cloudconfig.resembles(document.map((document.yaml(text))) or {}) then
			machine.log("they look like cloud-config: begin them with the line #cloud-config")
		end
	end
end

-- What the user data ask for: settings of cloud-config, and a function that makes LinuxKit's files.
function userdata.read(text)
	local self = setmetatable({ settings = cloudconfig.new(), expand = {}, parts = 0 }, reader)
	self:read(text, 1)
	return self.settings, function()
		for _, value in ipairs(self.expand) do
			tree.expand(value)
		end
	end
end

return userdata
