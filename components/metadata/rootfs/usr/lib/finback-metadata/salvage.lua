-- YAML that is broken in places: a fault in one key of the outermost mapping costs that key, one in an entry of its list that
-- entry.
local document = require("document")
local machine = require("machine")

-- Keys, and entries of the list of one, that are read by themselves.
local PIECES = 1000

-- The pieces of a mapping's text that begin at its outermost level, so that a fault in one costs that one.
local function pieces(text)
	local found, current = {}, nil
	local number = 0
	for line in (text .. "\n"):gmatch("([^\n]*)\n") do
		number = number + 1
		if line:find('^[%w_"\'][^#]*:') then
			if #found == PIECES then
				machine.log("from line %d on, nothing is read: there are more than %d keys", number, PIECES)
				return found
			end
			current = { number = number, name = line:match("^[\"']?([%w_.-]+)") or "?" }
			found[#found + 1] = current
		end
		if current then
			current[#current + 1] = line
		end
	end
	return found
end

-- The pieces of a list in a piece, each as a list of one, by the hyphens of its first level.
local function entries(piece)
	local indent
	local found, current = {}, nil
	for index = 2, #piece do
		local blank, rest = piece[index]:match("^(%s*)(.*)$")
		if rest:find("^%-%s") or rest == "-" then
			indent = indent or blank
			if blank == indent then
				if #found == PIECES then
					machine.log("of %s, only %d entries are read", piece.name, PIECES)
					return found
				end
				current = { number = piece.number + index - 1, piece[1] }
				found[#found + 1] = current
			end
		end
		if current then
			current[#current + 1] = piece[index]
		elseif rest ~= "" and rest:sub(1, 1) ~= "#" then
			return {}
		end
	end
	return found
end

-- Why a piece is no YAML, without the place, which counts from the piece's beginning.
local function reason(why)
	return why and why:gsub("^line %d+: ", ""):match("^(.-) at document:") or why or "no mapping"
end

-- Reads what can be read of *text*, a mapping that is no YAML as a whole: calls *add* with each mapping of one key that is
-- sound. The log has what is left out of *what*.
local function salvage(text, what, add)
	for _, piece in ipairs(pieces(text)) do
		local value, why = document.yaml(table.concat(piece, "\n") .. "\n")
		if document.map(value) then
			add(value)
		else
			local inner = entries(piece)
			if #inner == 0 then
				machine.log("%s of %s, line %d, is left out: %s", piece.name, what, piece.number, reason(why))
			end
			for _, entry in ipairs(inner) do
				value, why = document.yaml(table.concat(entry, "\n") .. "\n")
				if document.map(value) then
					add(value)
				else
					machine.log("an entry of %s in %s, line %d, is left out: %s", piece.name, what, entry.number, reason(why))
				end
			end
		end
	end
end

return salvage
