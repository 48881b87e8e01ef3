-- What a source says of the machine, as one value: `provider`, `hostname`, `identity` (of the instance), `keys`,
-- `userdata`, `vendordata`, and `files`, the content of further files of /run/config by their names.
local document = require("document")
local identity = require("identity")
local machine = require("machine")

local facts = {}
facts.__index = facts

function facts.new(provider)
	return setmetatable({ provider = provider, keys = {}, files = {} }, facts)
end

-- The machine's name, if *text* is one.
function facts:name(text)
	text = document.text(text)
	if text == nil or text == "" then
		return
	end
	local name, why = identity.hostname(text)
	if name then
		self.hostname = name
	else
		machine.log("%q is no name for a machine: %s", text:sub(1, 80), why)
	end
end

-- Keys: a text, or a list of texts; what is no key is named in the log.
function facts:key(value)
	for _, each in ipairs(document.list(value)) do
		local text = document.text(each)
		if text then
			identity.add_keys(self.keys, text, function(line)
				machine.log("this is no public key, and left out: %s", line:sub(1, 60))
			end)
		end
	end
end

-- A further file, if there is a text for it.
function facts:file(name, text)
	text = document.text(text)
	if text and text ~= "" then
		self.files[name] = text
	end
end

-- The instance's identity, from which the machine's follows.
function facts:instance(text)
	text = document.text(text)
	text = text and document.trim(text)
	if text and text ~= "" then
		self.identity = text
		self:file("instance_id", self.identity)
	end
end

return facts
