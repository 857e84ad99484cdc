// A sentence at the bottom of the page, for some seconds.

let hush;

export function say(text, bad = false) {
  const toast = document.getElementById('message');
  toast.textContent = text;
  toast.classList.toggle('bad', bad);
  toast.classList.add('shown');
  clearTimeout(hush);
  hush = setTimeout(() => toast.classList.remove('shown'), bad ? 9000 : 3500);
}
