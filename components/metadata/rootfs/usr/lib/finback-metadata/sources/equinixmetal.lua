-- Equinix Metal, once Packet: one JSON document. Names of cards and bonds are those of the system's file.
local document = require("document")
local facts = require("facts")
local http = require("http")

local SERVER = "http://metadata.packet.net/"

return {
	names = { "equinixmetal", "packet" },
	order = 70,
	network = true,
	-- Its server has a public name: only machines that are told to ask it do.
	only_named = true,
	match = function()
		return false
	end,
	read = function()
		local text = http.get(SERVER .. "metadata", { limit = 262144 })
		local map = text and document.map(document.json(text))
		if not map or not document.text(map.id) then
			return nil
		end
		local found = facts.new("EquinixMetal")
		found:instance(map.id)
		found:name(map.hostname)
		found:key(map.ssh_keys)
		found:file("instance_type", map.plan)
		found:file("availability_zone", map.facility)
		local network = document.map(map.network) or {}
		for _, each in ipairs(document.list(network.addresses)) do
			local address = document.map(each) or {}
			if address.address_family == 4 then
				local name = address.public == true and "public_ipv4" or "private_ipv4"
				found:file(name, found.files[name] or address.address)
			end
		end
		local data = http.userdata(SERVER .. "userdata")
		-- A script of iPXE booted the machine.
		found.userdata = data and not data:find("^#!ipxe") and data or nil
		return found
	end,
}
