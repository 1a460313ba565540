package clickhousesignins

// ValueOf is for tests of queries that an Engine does not ask.
var ValueOf = valueOf
