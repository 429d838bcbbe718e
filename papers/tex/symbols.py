"""What TeX commands mean in Unicode: tables for the commands.

The bulk comes from pylatexenc (about 900 names); what stands here is what a reader of a mail needs differently.
"""

from pylatexenc.latex2text import get_default_latex_context_db

# Papers name their own systems after these (`\gemini`, `\libra`), so they are no symbols here.
_NAMES_OF_SYSTEMS = frozenset(
    "aquarius aries cancer capricornus gemini jupiter leo libra mercury neptune pisces pluto sagittarius saturn scorpio"
    " taurus uranus venus virgo male recorder image original between estimates truestate today id Ident Angle Equal"
    " eighthnote quarternote natural smile frown sharp flat th eth".split()
)

# Where the table's sign is missing in many fonts, or reads worse than the plain one.
_PREFERRED = {
    "%": "%", "&": "&", "$": "$", "#": "#", "_": "_", "{": "{", "}": "}", "|": "‖", "P": "¶", "S": "§",
    "(": "(", ")": ")", "[": "[", "]": "]",
    "ast": "*", "bullet": "•", "cdots": "…", "circledR": "®", "colon": ":", "copyright": "©", "dag": "†",
    "dagger": "†", "ddagger": "‡", "ddag": "‡", "degree": "°", "epsilon": "ε", "euro": "€", "gets": "←", "gt": ">",
    "iff": "⟺", "imath": "ı", "impliedby": "⟸", "implies": "⟹", "jmath": "ȷ", "land": "∧", "lbrack": "[", "le": "≤",
    "leqslant": "≤", "geqslant": "≥", "longrightarrow": "→", "longleftarrow": "←", "longmapsto": "↦", "lor": "∨",
    "lt": "<", "ne": "≠", "neg": "¬", "owns": "∋", "phi": "φ", "pounds": "£", "prime": "′", "rbrack": "]",
    "setminus": "∖", "sim": "~", "slash": "/", "SS": "ẞ", "textasciicircum": "^", "textbar": "|",
    "textbraceleft": "{", "textbraceright": "}", "textgreater": ">", "textless": "<", "texttrademark": "™",
    "textunderscore": "_", "triangle": "△", "varnothing": "∅", "checkmark": "✓", "cmark": "✓", "xmark": "✗",
    "yen": "¥", "lbrace": "{", "rbrace": "}", "blacksquare": "■", "square": "□", "guillemetleft": "«",
    "guillemetright": "»", "textnumero": "№", "dots": "…", "cdotp": "·", "vdots": "⋮", "doublecap": "⋒",
}  # fmt: skip

# Functions: words also before a group, `\log{n}` is “log n”.
FUNCTIONS = frozenset(
    "arccos arccot arcsin arctan arg argmax argmin cos cosh cot coth csc det dim exp gcd hom inf injlim ker lg lim"
    " liminf limsup ln log max min mod bmod Pr projlim sec sin sinh softmax sup tan tanh".split()
)

# Latin shorthands that many style files define. The last full stop is left out where the text brings one.
SHORTHANDS = {
    "eg": "e.g.", "Eg": "E.g.", "ie": "i.e.", "Ie": "I.e.", "etal": "et al.", "etc": "etc.", "wrt": "w.r.t.",
    "vs": "vs.", "aka": "a.k.a.", "cf": "cf.", "Cf": "Cf.", "viz": "viz.", "iid": "i.i.d.", "wlog": "w.l.o.g.",
}  # fmt: skip

# Switches and spacing that leave no trace; a command of this kind also takes the space behind it.
SILENT = frozenset(
    "it bf em rm tt sc sf sl itshape bfseries scshape ttfamily sffamily rmfamily mdseries upshape slshape normalfont"
    " tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge boldmath unboldmath"
    " displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits left right middle big Big bigg Bigg bigl"
    " bigr bigm Bigl Bigr Bigm biggl biggr Biggl Biggr noindent indent centering raggedright xspace relax protect"
    " allowbreak nobreak nolinebreak null mathstrut strut nonumber hfill".split()
) | {"!", "-", "/"}

SPACES = frozenset(
    "quad qquad enspace enskip thinspace medspace thickspace space par newline linebreak smallskip medskip bigskip"
    " newpage clearpage tabularnewline hline maketitle".split()
) | {",", ";", ":", ">", " ", "\\", "\n"}

# Commands around one argument, which is shown as text …
TEXT_WRAPPERS = frozenset(
    "text textrm textit textbf textsc textsl texttt textsf textup textmd textnormal textlf emph mbox hbox fbox"
    " underline uline uuline uwave sout st ul hl so textquote enquote intertext"
    " title section subsection paragraph".split()
)
# … or as maths.
MATHS_WRAPPERS = frozenset(
    "mathrm mathbf mathit mathsf mathtt mathcal mathscr mathfrak mathbb mathds bm bold boldsymbol pmb operatorname"
    " mathop mathbin mathrel mathord mathnormal mathup ensuremath overline underbrace overbrace overrightarrow boxed"
    " num ce smash hphantom".split()
)
BLACKBOARD = dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True))

# Accents: the combining character of each command.
TEXT_ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323",
    "b": "\u0331", "t": "\u0361",
}  # fmt: skip
ACCENTS_BELOW = frozenset("ckdb")
DOTTED = str.maketrans("ıȷ", "ij")  # Under an accent the dot is gone anyway.
MATHS_ACCENTS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304", "dot": "\u0307",
    "ddot": "\u0308", "acute": "\u0301", "grave": "\u0300", "check": "\u030c", "breve": "\u0306", "vec": "\u20d7",
    "mathring": "\u030a",
}  # fmt: skip

# Letters as commands take the space behind them, as in TeX: `Stra\ss e`, `\O yvind`.
LETTERS = frozenset(
    "ae AE oe OE aa AA o O l L i j ss SS dh DH dj DJ ng NG TH ij IJ textdegree textemdash textendash".split()
)

_SUPERSCRIPTS = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
# What needs no raising to be understood.
_RAISED = {"∘": "°", "°": "°", "′": "′", "*": "*", "⋆": "*", "†": "†", "‡": "‡", "th": "th", "st": "st", "nd": "nd",
           "rd": "rd", "™": "™", "®": "®", "TM": "™", "%": "%"}  # fmt: skip


def _symbols() -> dict[str, str]:
    found = {}
    for spec in get_default_latex_context_db().iter_macro_specs():
        sign = spec.simplify_repl
        if isinstance(sign, str) and len(sign) == 1 and spec.macroname not in _NAMES_OF_SYSTEMS:
            found[spec.macroname] = sign
    return found | _PREFERRED


SYMBOLS = _symbols()


def raise_or_lower(mark: str, argument: str) -> str:
    """`^` or `_` with its argument: in Unicode where that exists for all of it (10⁻³, H₂O), else after the mark
    itself: x_max, e^(−x/2)."""
    argument = argument.strip()
    if not argument:
        return ""
    if mark == "^" and argument in _RAISED:
        return _RAISED[argument]
    table = _SUPERSCRIPTS if mark == "^" else _SUBSCRIPTS
    packed = argument.replace(" ", "")
    if all(ord(character) in table for character in packed) and len(packed) <= _longest(packed):
        return packed.translate(table)
    is_plain = len(argument) == 1 or argument.replace(".", "").replace(":", "").isalnum()
    return f"{mark}{argument}" if is_plain else f"{mark}({argument})"


def _longest(argument: str) -> int:
    # Letters are raised one at a time, so that no word of letters ever turns into small signs.
    return 12 if not any(character.isalpha() for character in argument) else 3
