/** The static table (RFC 7541, appendix A): names and values by index; index 0 is not used. */

const rows = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split("\n");

/** Names by index (RFC 7541, appendix A). Index 0 is empty. */
export const staticNames: readonly string[] = rows.map((row) => row.split(" ")[0] as string);
/** Values by index; "" where the entry has a name alone. */
export const staticValues: readonly string[] = rows.map((row) =>
  row.includes(" ") ? row.slice(row.indexOf(" ") + 1) : "",
);
/** How many entries it has; the dynamic table's indexes follow. */
export const staticCount = rows.length - 1;
