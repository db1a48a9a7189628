// What startup.mjs compares with: nothing.
