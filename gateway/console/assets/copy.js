// Buttons that copy what stands in another element. Without a script, or a
// clipboard, there are none: the text can be selected.
for (const button of document.querySelectorAll("[data-copy]")) {
  const from = document.getElementById(button.dataset.copy);
  if (!from || !navigator.clipboard) continue;
  const text = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(from.textContent.trim());
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = text), 2000);
  });
}
