-- NoCloud's files, as cloud-init documents them: meta-data (YAML or JSON), user-data, vendor-data, network-config.
local document = require("document")
local machine = require("machine")
local salvage = require("salvage")

local nocloud = {}

local KNOWN = {
	["instance-id"] = true, ["local-hostname"] = true, hostname = true, ["public-keys"] = true, ["public_keys"] = true,
	["dsmode"] = true, ["cloud-name"] = true, ["availability-zone"] = true, region = true, ["instance-type"] = true,
}

-- Public keys as clouds nest them: a text, a list, a mapping of names to one or to lists, EC2's {"openssh-key": ...}.
local function add_keys(found, value, level)
	if type(value) ~= "table" then
		found:key(value)
	elseif level < 4 then
		local names = {}
		for name in pairs(value) do
			names[#names + 1] = name
		end
		table.sort(names, function(a, b)
			return tostring(a) < tostring(b)
		end)
		for _, name in ipairs(value[1] ~= nil and {} or names) do
			add_keys(found, value[name], level + 1)
		end
		for _, each in ipairs(value) do
			add_keys(found, each, level + 1)
		end
	end
end
nocloud.add_keys = add_keys

-- Adds what meta-data say.
function nocloud.metadata(found, text)
	found:file("meta-data", text)
	text = text:gsub("^\239\187\191", ""):gsub("\r\n", "\n")
	local value, why = document.any(text)
	local map = document.map(value)
	if value == nil then
		machine.log("meta-data are not YAML as a whole: %s", why)
		map = {}
		salvage(text, "meta-data", function(piece)
			for key, each in pairs(piece) do
				local list = document.list(map[key])
				map[key] = each
				if #list > 0 then
					map[key] = table.move(document.list(each), 1, #document.list(each), #list + 1, list)
				end
			end
		end)
	elseif not map then
		if value ~= document.null then
			machine.log("meta-data are not understood: they are no mapping")
		end
		return
	end
	found:instance(map["instance-id"])
	found:name(map["local-hostname"] or map.hostname)
	add_keys(found, map["public-keys"] or map["public_keys"], 1)
	local others = {}
	for key in pairs(map) do
		if not KNOWN[key] then
			others[#others + 1] = key
		end
	end
	if #others > 0 then
		table.sort(others)
		machine.log("of the meta-data, this is not used: %s", table.concat(others, " "))
	end
end

-- Adds what the files say that *read* returns by name; false when there are none.
function nocloud.take(found, read)
	local meta = read("meta-data", machine.LITTLE)
	local user, why = read("user-data", machine.MOST)
	if meta == nil and user == nil and why ~= "long" then
		return false
	end
	if why == "long" then
		machine.log("user data are longer than %d bytes, and left out", machine.MOST)
	end
	if meta then
		nocloud.metadata(found, meta)
	end
	found.userdata = user ~= "" and user or nil
	found:file("vendor-data", read("vendor-data", machine.LITTLE))
	local network = read("network-config", machine.LITTLE)
	if network and network:find("%S") then
		found:file("network-config", network)
		local version = network:match("version['\"]?%s*:%s*['\"]?(%d)")
		machine.log(
			"network-config%s is kept, and not applied: the network is that of the system's file",
			version and " (version " .. version .. ")" or ""
		)
	end
	return true
end

return nocloud
