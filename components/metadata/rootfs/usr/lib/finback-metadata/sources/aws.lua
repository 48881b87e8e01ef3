-- Amazon EC2: IMDSv2, which asks for a token first, else version 1.
local ec2 = require("ec2")
local facts = require("facts")
local http = require("http")
local machine = require("machine")

local SERVER = "http://169.254.169.254"

return {
	names = { "aws" },
	order = 80,
	network = true,
	match = function()
		return machine.firmware("sys_vendor") == "Amazon EC2" or machine.firmware("bios_version"):lower():find("amazon") ~= nil
			or machine.firmware("product_uuid"):lower():find("^ec2") ~= nil
	end,
	read = function()
		local token = http.get(SERVER .. "/latest/api/token", {
			method = "PUT",
			headers = { ["X-aws-ec2-metadata-token-ttl-seconds"] = "300", ["content-length"] = "0" },
		})
		local found = facts.new("AWS")
		local headers = token and token:find("^[%w=+/_-]+%s*$") and { ["X-aws-ec2-metadata-token"] = token:match("%S+") }
		return ec2.take(found, SERVER, headers or nil) and found
	end,
}
