-- Alibaba Cloud: EC2's paths at an address of its own, with a token of its own name.
local ec2 = require("ec2")
local facts = require("facts")
local http = require("http")
local machine = require("machine")

local SERVER = "http://100.100.100.200"

return {
	names = { "alibaba" },
	order = 58,
	network = true,
	-- The address is one that other networks route: it is asked where the firmware names the cloud.
	only_named = true,
	match = function()
		return machine.firmware("product_name"):find("^Alibaba Cloud") ~= nil
	end,
	read = function()
		local token = http.get(SERVER .. "/latest/api/token", {
			method = "PUT",
			headers = { ["X-aliyun-ecs-metadata-token-ttl-seconds"] = "300", ["content-length"] = "0" },
		})
		local found = facts.new("Alibaba")
		local headers = token and token:find("^[%w=+/_-]+%s*$") and { ["X-aliyun-ecs-metadata-token"] = token:match("%S+") }
		return ec2.take(found, SERVER, headers or nil) and found
	end,
}
