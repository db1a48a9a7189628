// The only file that imports `idb`. The build puts the package into it, under its licence.
export { deleteDB, openDB } from "idb";
