"""Writes the documents that `writers.rs` asks for: a JSON list on standard input."""

import json
import os
import sys


def reportlab_pages(job, **options):
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

    style = getSampleStyleSheet()
    story = []
    for number, paragraphs in enumerate(job["pages"]):
        if number:
            story.append(PageBreak())
        story.append(Paragraph(f"Part {number + 1}", style["Heading1"]))
        story += [Paragraph(text, style["BodyText"]) for text in paragraphs]
        story.append(Table([["Item", "Unit"], ["rope", "metre"], ["paint", "litre"]]))
    SimpleDocTemplate(job["path"], pagesize=A5, **options).build(story)


def encrypted(job):
    from reportlab.lib.pdfencrypt import StandardEncryption

    reportlab_pages(job, encrypt=StandardEncryption("only with this", ownerPassword="owner", strength=128))


def typst_pages(job):
    import typst

    text = '#set page(paper: "a5", numbering: "1")\n#set par(justify: true)\n#set text(hyphenate: false)\n'
    parts = ["= Part\n" + "\n\n".join(paragraphs) for paragraphs in job["pages"]]
    typst.compile((text + "\n#pagebreak()\n".join(parts)).encode(), output=job["path"])


def large(job):
    """Pages with a photograph of pure noise each, until the file has the size asked for."""
    from PIL import Image
    from reportlab import rl_config
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    rl_config.useA85 = 0
    canvas = Canvas(job["path"], pageCompression=0)
    side = 2048
    for number in range(job["bytes"] // (side * side * 3) + 1):
        image = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
        canvas.drawImage(ImageReader(image), 50, 50, 400, 400)
        for line, text in enumerate(job["pages"][number] if number < len(job["pages"]) else []):
            canvas.drawString(50, 760 - 20 * line, text)
        canvas.showPage()
    canvas.save()


KINDS = {"reportlab": reportlab_pages, "encrypted": encrypted, "typst": typst_pages, "large": large}

for wanted in json.load(sys.stdin):
    KINDS[wanted["kind"]](wanted)
