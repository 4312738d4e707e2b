// Keeps a list of calls fresh while its box is ticked: it asks for the same page
// as a fragment every two seconds, and puts the rows in the place of the old.
const box = document.getElementById("live");
const rows = document.getElementById("rows");
let timer = 0;

async function refresh() {
  const url = new URL(location.href);
  url.searchParams.delete("after");
  url.searchParams.set("part", "rows");
  try {
    const res = await fetch(url, { headers: { accept: "text/html" }, redirect: "error" });
    if (res.ok) rows.innerHTML = await res.text();
  } catch {
    box.checked = false; // signed out, or the gateway is away
  }
  if (box.checked) timer = setTimeout(refresh, 2000);
}

if (box && rows) {
  box.closest("[hidden]")?.removeAttribute("hidden");
  box.addEventListener("change", () => {
    clearTimeout(timer);
    if (box.checked) refresh();
  });
}
