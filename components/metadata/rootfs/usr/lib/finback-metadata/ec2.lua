-- The paths that Amazon's EC2 introduced and that other clouds have too: /latest/meta-data and /latest/user-data.
local http = require("http")

local ec2 = {}

local FILES = { "local-hostname", "local-ipv4", "public-ipv4", "instance-type" }

-- Adds what a server says; false when it has no instance-id. *headers* go with each question.
function ec2.take(found, server, headers)
	local function ask(path)
		return http.get(server .. "/latest/" .. path, { headers = headers })
	end
	local id = ask("meta-data/instance-id")
	if not id or not id:find("^[%w._-]+%s*$") then
		return false
	end
	found:instance(id)
	found:name(ask("meta-data/hostname") or ask("meta-data/local-hostname"))
	for _, name in ipairs(FILES) do
		found:file((name:gsub("-", "_")), ask("meta-data/" .. name))
	end
	found:file("availability_zone", ask("meta-data/placement/availability-zone"))
	-- A line for each key, `NUMBER=NAME`.
	for line in (ask("meta-data/public-keys/") or ask("meta-data/public-keys") or ""):gmatch("[^\r\n]+") do
		local number = line:match("^(%d+)=") or line:match("^(%d+)/?$")
		if number then
			found:key(ask("meta-data/public-keys/" .. number .. "/openssh-key"))
		else
			found:key(line)
		end
	end
	found.userdata = http.userdata(server .. "/latest/user-data", { headers = headers })
	return true
end

return ec2
