// The baseline of startup.mjs: an empty module.
