"""Which words a text has, and which of them carry no meaning of their own."""

import re
from collections.abc import Iterator

WORD = re.compile(r"[^\W\d_]+(?:['’‑-][^\W\d_]+)*")

_STOPWORDS = {
    "en": """a about above after again against all also am an and any are as at be because been before being below
        between both but by can could did do does doing down during each either else every few for from further had has
        have having he her here hers him his how i if in into is it its itself may me might more most must my neither
        no nor not now of off on once one only or other our ours out over own per same shall she should so some such
        than that the their theirs them then there thereof therein hereby herein hereto hereunder these they this those
        through to too under until up upon us very was we were what when where whether which while who whom whose why
        will with within without would you your yours""",
    "de": """aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bereits bis bzw da
        dabei dadurch dafür daher damit dann darauf darf das dass dem den denen denn der deren des dessen die dies diese
        diesem diesen dieser dieses doch dort durch ein eine einem einen einer eines er erst es etwa für gegen gemäß hat
        hatte haben ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes jedoch kann kein keine
        keinen können man mehr mit muss müssen nach nicht noch nur ob oder ohne sein seine seinem seinen seiner sich
        sie sind so sofern sondern soweit sowie über um und uns unter vom von vor war waren was weder welche welcher
        wenn werden wie wird wo wurde wurden zu zum zur zwischen""",
    "fr": """à afin ainsi alors après au aucun aucune auprès aussi autre autres aux avant avec car ce ceci cela celle
        celles celui ces cet cette ceux chaque chez comme dans de depuis des dès dont du elle elles en entre est et été
        être eux fait font il ils je la le les leur leurs lors lorsque lui mais même ne ni nos notre nous on ont ou où
        par pas pendant peut peuvent plus pour près qu que quel quelle qui sa sans se selon sera seront ses si soit son
        sont sous sur tel telle tous tout toute toutes très un une vers vos votre vous""",
    "es": """a al algo ante antes aquel aquella como con contra cual cuando de del desde donde durante e el ella ellas
        ellos en entre era es esa ese eso esta estas este esto estos fue ha han hasta hay la las le les lo los más me mi
        muy nada ni no nos o otra otro para pero por porque que quien se según ser si sin sobre son su sus también
        tanto tiene toda todas todo todos tras u un una uno unos y ya""",
    "it": """a ad agli ai al alla alle allo anche che chi ci come con contro cui da dagli dai dal dalla dalle dallo dei
        degli del della delle dello di dopo dove e è ed gli ha hanno i il in io la le lo loro ma mentre mi ne negli nei
        nel nella nelle nello no noi non nostro o ogni per perché più poi presso prima quale quando quanto quella quello
        questa questo se secondo senza si sia sono sotto su sua sue sugli sui sul sulla suo tra tutti tutto un una uno
        voi""",
}
_STOPWORD_SETS = {language: frozenset(words.split()) for language, words in _STOPWORDS.items()}


def words_in(text: str) -> Iterator[re.Match[str]]:
    """Every word with its place; compounds joined by a hyphen or an apostrophe are one."""
    return WORD.finditer(text)


def stopwords(language: str) -> frozenset[str]:
    """The words of this language that carry no meaning of their own, folded; empty for a language without a list."""
    return _STOPWORD_SETS.get(language, frozenset())


def content_words(text: str, language: str) -> list[str]:
    """The words that carry meaning, folded, in order. Without a list for the language, short words are left out."""
    common = stopwords(language)
    folded = (match.group().casefold() for match in words_in(text))
    return [word for word in folded if len(word) > 2 and (word not in common if common else len(word) > 3)]
