-- The little of XML that clouds' documents take: texts of elements and attributes, without a parser.
local xml = {}

local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

local function plain(text)
	return (text:gsub("&(#?x?)(%w+);", function(kind, name)
		if kind == "" then
			return ENTITIES[name]
		end
		local code = tonumber(name, kind == "#x" and 16 or 10)
		return code and code < 1114112 and utf8.char(code) or nil
	end))
end

-- The value of an attribute among those of one element; a prefix of a name space is left out.
function xml.attribute(attributes, name)
	name = name:gsub("%-", "%%-")
	local text = (" " .. attributes):match("[%s:]" .. name .. '%s*=%s*"([^"]*)"')
		or (" " .. attributes):match("[%s:]" .. name .. "%s*=%s*'([^']*)'")
	return text and plain(text)
end

-- The text of the first element of that name; nil where there is none.
function xml.element(text, name)
	local _, first = text:find("<%w*:?" .. name .. "%s*>")
	local last = first and text:find("</", first, true)
	return last and plain(text:sub(first + 1, last - 1))
end

return xml
