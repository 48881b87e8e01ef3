-- Names and keys as they may be: what of a stranger's text becomes the machine's name or opens its door.
local document = require("document")

local identity = {}

-- authorized_keys(5) has a limit of 8 KiB to a line; more keys than this nobody means.
local LONGEST, MOST = 8192, 1000

-- The name that *text* gives a machine, with its domain or without; nil and why. Linux takes 64 characters; of a longer
-- one the first label remains, as clouds' names of many labels need it.
function identity.hostname(text)
	local name = document.trim((text or ""):match("^%s*([^\r\n]*)")):gsub("%.$", "")
	if name == "" then
		return nil, "it is empty"
	elseif name:find("[^A-Za-z0-9._-]") or name:find("^[.-]") or name:find("..", 1, true) then
		return nil, "a name has letters, digits, hyphens, underscores and dots"
	elseif #name > 64 then
		name = name:match("^[^.]*")
		if #name > 64 then
			return nil, "it is longer than 64 characters"
		end
	end
	return name
end

local TYPES = { "^ssh%-", "^ecdsa%-", "^sk%-", "^webauthn%-" }

local function plain_key(text)
	local kind, blob = text:match("^(%S+)[ \t]+(%S+)")
	if not kind or not kind:find("^[a-z0-9@.-]+$") or not blob:find("^[A-Za-z0-9+/]+=*$") then
		return false
	end
	for _, pattern in ipairs(TYPES) do
		if kind:find(pattern) then
			return true
		end
	end
	return false
end

-- What of a line comes after its options, which end at the first blank outside of quotes; nil when quotes are left open.
local function after_options(line)
	local quoted, at = false, 1
	while at <= #line do
		local char = line:sub(at, at)
		if char == "\\" and line:sub(at + 1, at + 1) == '"' then
			at = at + 1
		elseif char == '"' then
			quoted = not quoted
		elseif not quoted and char:find("[ \t]") then
			return (line:sub(at):gsub("^[ \t]+", ""))
		end
		at = at + 1
	end
	return nil
end

-- Whether *line* is one of authorized_keys(5), see sshd(8): options, type, key, comment.
function identity.is_key(line)
	if #line > LONGEST or line:find("[%z\1-\8\10-\31\127]") then
		return false
	end
	return plain_key(line) or plain_key(after_options(line) or "")
end

-- Adds the keys of *text*, which may be several lines, to *list*; what is none goes to *reject*, a function.
function identity.add_keys(list, text, reject)
	for line in text:gmatch("[^\r\n]+") do
		line = document.trim(line)
		if line ~= "" and line:sub(1, 1) ~= "#" then
			if not identity.is_key(line) then
				reject(line)
			elseif #list >= MOST then
				reject(line)
			else
				list[#list + 1] = line
			end
		end
	end
end

-- The keys of an answer: a JSON list, a YAML list or lines.
function identity.listed(text)
	local list = text:find("^%s*[%[-]") and document.any(text)
	if type(list) ~= "table" then
		return { text }
	end
	return list
end

return identity
