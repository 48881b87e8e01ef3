-- YAML and JSON as values: text is a string, a mapping a table of its keys, a list a table of numbers. Scalars of YAML stay
-- the text that was written, so that `0644` is not a number before somebody asks for one; null is `document.null`. Of
-- strangers' documents it takes no more than LEVELS of nesting and NODES of values, aliases counted where they are used.
local cjson = require("cjson")
local yaml = require("yaml")

local document = {}

local LEVELS, NODES = 50, 50000

document.null = cjson.null
cjson.decode_max_depth(LEVELS)
cjson.decode_invalid_numbers(false)

local EMPTY = { [""] = true, ["~"] = true, null = true, Null = true, NULL = true }
local BASE64 = require("mime").unb64

-- *text* without blanks at its ends. `%s+$` would take the square of a long run of blanks.
function document.trim(text)
	local first, last = text:find("%S"), #text
	while first and text:find("^%s", last) do
		last = last - 1
	end
	return first and text:sub(first, last) or ""
end

-- base64, with blanks and line ends in it; nil when the text is something else.
function document.base64(text)
	text = text:gsub("%s+", "")
	if text:find("[^A-Za-z0-9+/=]") or text:find("=[^=]") or #text % 4 == 1 then
		return nil
	end
	text = text .. ("="):rep(-#text % 4)
	return (BASE64(text))
end

local function place(event)
	return string.format("line %d", event.start_mark.line + 1)
end

local loader = {}
loader.__index = loader

function loader:next()
	return self.parser()
end

function loader:count(weight, event)
	self.nodes = self.nodes + weight
	if self.nodes > NODES then
		error(place(event) .. ": more than " .. NODES .. " values", 0)
	end
end

local function scalar(event)
	local tag = event.tag or ""
	if tag == "tag:yaml.org,2002:binary" then
		return document.base64(event.value) or error(place(event) .. ": this is not base64", 0)
	elseif tag == "tag:yaml.org,2002:null" or (tag == "" and event.style == "PLAIN" and EMPTY[event.value]) then
		return document.null
	end
	return event.value
end

-- The value that begins with *event*, and how many values it is made of.
function loader:value(event, level)
	if event.type == "ALIAS" then
		local known = self.anchors[event.anchor]
		if not known then
			error(place(event) .. ": there is no anchor " .. event.anchor, 0)
		end
		self:count(known.weight, event)
		return known.value, known.weight
	end
	local before, value = self.nodes, nil
	self:count(1, event)
	if level > LEVELS then
		error(place(event) .. ": nested deeper than " .. LEVELS, 0)
	elseif event.type == "SCALAR" then
		value = scalar(event)
	elseif event.type == "SEQUENCE_START" then
		value = self:sequence(level)
	else
		value = self:mapping(level)
	end
	local weight = self.nodes - before
	if event.anchor then
		self.anchors[event.anchor] = { value = value, weight = weight }
	end
	return value, weight
end

function loader:sequence(level)
	local list = {}
	while true do
		local event = self:next()
		if event.type == "SEQUENCE_END" then
			return list
		end
		list[#list + 1] = self:value(event, level + 1)
	end
end

-- Adds what a merge key (`<<`) names: a mapping, or a list of them, of which the first counts.
local function merge(into, value)
	for _, map in ipairs(#value > 0 and value or { value }) do
		for key, each in pairs(type(map) == "table" and map or {}) do
			if into[key] == nil then
				into[key] = each
			end
		end
	end
end

function loader:mapping(level)
	local map, merged = {}, {}
	while true do
		local event = self:next()
		if event.type == "MAPPING_END" then
			for _, value in ipairs(merged) do
				merge(map, value)
			end
			return map
		end
		local key = self:value(event, level + 1)
		local value = self:value(self:next(), level + 1)
		if key == "<<" and event.style == "PLAIN" and type(value) == "table" then
			merged[#merged + 1] = value
		elseif type(key) == "string" then
			map[key] = value
			if level == 1 then
				self.keys[#self.keys + 1] = key
			end
		end
	end
end

-- The first document of *text*; nil and why when it is none. Third is what of a mapping was read before the fault.
function document.yaml(text)
	local self = setmetatable({ parser = yaml.parser(text), nodes = 0, anchors = {}, keys = {} }, loader)
	local done, result = pcall(function()
		local event
		repeat
			event = self:next()
			if event == nil or event.type == "STREAM_END" then
				return document.null
			end
		until event.type == "DOCUMENT_START"
		return (self:value(self:next(), 1))
	end)
	if done then
		return result
	end
	return nil, (tostring(result):gsub("\n", "; "))
end

-- The value of a JSON text; nil and why.
function document.json(text)
	local done, result = pcall(cjson.decode, text)
	if done then
		return result
	end
	return nil, result
end

-- YAML, or JSON, which can have what a parser of YAML 1.1 refuses.
function document.any(text)
	if text:match("^%s*[{%[]") then
		local value = document.json(text)
		if value ~= nil then
			return value
		end
	end
	return document.yaml(text)
end

-- A scalar as text; nil for anything else.
function document.text(value)
	if type(value) == "string" then
		return value
	elseif type(value) == "number" then
		return math.type(value) == "float" and value == math.floor(value) and string.format("%.0f", value) or tostring(value)
	elseif type(value) == "boolean" then
		return tostring(value)
	end
	return nil
end

local TRUE = { ["true"] = true, yes = true, on = true, y = true, ["1"] = true }

-- Whether a scalar means yes, as YAML 1.1 has it.
function document.truth(value)
	return value == true or TRUE[(document.text(value) or ""):lower()] == true
end

-- A mapping; nil for anything else. An empty list can't be told from an empty mapping.
function document.map(value)
	return type(value) == "table" and value[1] == nil and value or nil
end

-- A list; a scalar or a mapping is a list of one, null of none.
function document.list(value)
	if value == nil or value == document.null then
		return {}
	elseif type(value) == "table" and (value[1] ~= nil or next(value) == nil) then
		return value
	end
	return { value }
end

return document
