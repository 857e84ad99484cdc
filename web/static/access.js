// The server's token, where it asks for one: it comes behind the # of the page's address, which stays in the browser.

export const TOKEN = new URLSearchParams(location.hash.slice(1)).get('token');

/** Headers with the token beside them. */
export const withToken = (headers = {}) => (TOKEN ? { ...headers, authorization: `Bearer ${TOKEN}` } : headers);
