// The sheet on paper: the browser's own print, laid out by the style sheet.

document.getElementById("print").addEventListener("click", () => window.print());
