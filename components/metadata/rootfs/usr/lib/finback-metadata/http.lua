-- Questions to metadata servers, bounded in time and in bytes. FINBACK_METADATA_SERVER, ADDRESS:PORT, is asked in the place
-- of every server, with the name that the question has.
local http = require("socket.http")
local machine = require("machine")
local socket = require("socket")

local web = {}

-- Seconds for one question, and for all of them.
local PATIENCE, WHOLE = 3, 45
local LINES = 16384

local instead, instead_port = (os.getenv("FINBACK_METADATA_SERVER") or ""):match("^(.+):(%d+)$")
local ends = socket.gettime() + WHOLE
-- Servers that do not answer at all, so that they are asked once.
local silent = {}

-- A connection whose every step ends with *deadline*, and which takes no more than *limit* bytes for the body.
local function bounded(deadline, limit, low_port)
	local inner = assert(socket.tcp())
	local outer, lines = {}, 0
	local function time_left()
		inner:settimeout(math.max(deadline - socket.gettime(), 0.01), "t")
	end
	function outer.settimeout()
		return 1
	end
	function outer.connect(_, address, port)
		time_left()
		if low_port then
			-- Scaleway shows user data to privileged ports alone.
			inner:setoption("reuseaddr", true)
			for number = 1023, 900, -1 do
				if inner:bind("*", number) then
					break
				end
			end
			time_left()
		end
		return inner:connect(instead or address, tonumber(instead_port or port))
	end
	function outer.send(_, data)
		time_left()
		return inner:send(data)
	end
	function outer.close()
		return inner:close()
	end
	function outer.getfd()
		return inner:getfd()
	end
	function outer.dirty()
		return inner:dirty()
	end
	function outer.receive(_, pattern, prefix)
		time_left()
		if type(pattern) == "number" then
			limit = limit - pattern
			if limit < -8192 then
				return nil, "long"
			end
			return inner:receive(pattern, prefix)
		end
		local line = { prefix or "" }
		while true do
			local byte, why = inner:receive(1)
			lines = lines + 1
			if not byte then
				return nil, why
			elseif lines > LINES then
				return nil, "long"
			elseif byte == "\n" then
				return table.concat(line)
			elseif byte ~= "\r" then
				line[#line + 1] = byte
			end
		end
	end
	return outer
end

-- The body of an answer of status 200, else nil and why: the status, or a word. *options*: `method`, `headers`, `limit`
-- (bytes), `low_port`.
function web.get(url, options)
	options = options or {}
	local server = url:match("^http://([^/]+)")
	if not server then
		return nil, "only http:// is supported"
	end
	local limit = options.limit or machine.LITTLE
	local now = socket.gettime()
	if silent[server] or now >= ends then
		return nil, "silent"
	end
	local parts, size = {}, 0
	local headers = { ["user-agent"] = "finback-metadata", connection = "close", TE = "" }
	for name, value in pairs(options.headers or {}) do
		headers[name] = value
	end
	local done, status, answered = http.request({
		url = url,
		method = options.method or "GET",
		headers = headers,
		redirect = false,
		proxy = false,
		create = function()
			return bounded(math.min(now + PATIENCE, ends), limit, options.low_port)
		end,
		sink = function(chunk)
			if chunk then
				size = size + #chunk
				if size > limit then
					return nil, "long"
				end
				parts[#parts + 1] = chunk
			end
			return 1
		end,
	})
	if not done then
		if status ~= "long" then
			silent[server] = true
			machine.log("%s does not answer: %s", server, status)
		end
		return nil, status
	elseif status ~= 200 then
		return nil, status
	end
	local text = table.concat(parts)
	local length = answered and answered["content-length"]
	-- Without a header it was HTTP/0.9, which is anything.
	if not answered or (length and tonumber(length) ~= #text) then
		machine.log("%s answers what is not HTTP", server)
		return nil, "not HTTP"
	elseif text == "" then
		return nil, "empty"
	end
	return text
end

-- User data: the same with their limit, and a line in the log when they are longer.
function web.userdata(url, options)
	options = options or {}
	options.limit = machine.MOST
	local text, why = web.get(url, options)
	if why == "long" then
		machine.log("user data are longer than %d bytes, and left out", machine.MOST)
	end
	return text
end

return web
