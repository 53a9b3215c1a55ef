"""Words that say nothing about who a company is: legal forms, remarks of clerks, hosts where anybody has a mailbox."""

from __future__ import annotations

import re
from functools import lru_cache

# Forms that cleanco does not know, or knows in other spellings. As they read after `identity_normalise.plain`.
_MORE_FORMS = """
incorporated inc corporation corp company co limited ltd llc llp lp plc pllc pc gmbh mbh ag kgaa kg ohg ug ev eg se
sarl sas sasu sa snc eurl srl spa sl slu sau ltda eireli bv nv vof cv bvba sprl oy oyj ab as asa aps ivs hf ehf doo dd
sro kft zrt nyrt bt spzoo ood eood ad ooo oao pao zao ao too uab sia ou pty pvt private pte bhd sdn tbk kk gk yk wll
ksc kscc kscp bsc fzco fze fzc fz pjsc psc jsc sti cjsc ojsc sca scs lda sgps nl ek ekfr gbr
"""
_LONG_FORMS = (
    "sapi de cv",
    "sa de cv",
    "s de rl de cv",
    "s de rl",
    "sp z oo",
    "spolka z oo",
    "spol s ro",
    "sp k",
    "sp j",
    "sp p",
    "a s",
    "s a",
    "kabushiki kaisha",
    "godo kaisha",
    "yugen kaisha",
    "gmbh co kg",
    "ag co kg",
    "gmbh co kgaa",
    "ug haftungsbeschrankt",
    "aktiengesellschaft",
    "gesellschaft mit beschrankter haftung",
    "societe anonyme",
    "naamloze vennootschap",
    "public limited company",
    "pty ltd",
    "pvt ltd",
    "private limited",
    "co ltd",
    "co inc",
    "sdn bhd",
    "ltd sti",
    "as de cv",
    "limited liability company",
    "co kg",
)
_SAME_FORM = {
    "incorporated": "inc",
    "corporation": "corp",
    "company": "co",
    "limited": "ltd",
    "private limited": "pvt ltd",
    "kabushiki kaisha": "kk",
    "godo kaisha": "gk",
    "yugen kaisha": "yk",
    "aktiengesellschaft": "ag",
    "mbh": "gmbh",
    "gesellschaft mit beschrankter haftung": "gmbh",
    "public limited company": "plc",
    "societe anonyme": "sa",
    "s a": "sa",
    "a s": "as",
    "spzoo": "sp z oo",
    "spolka z oo": "sp z oo",
    "limited liability company": "llc",
    "naamloze vennootschap": "nv",
}
# Where the form stands in front: 'OOO Romashka', 'PT Maju'.
FRONT_FORMS = frozenset({"ooo", "oao", "pao", "zao", "ao", "too", "uab", "sia", "pt", "kk", "gk", "yk", "tov"})
# Forms in scripts that lose their shape when they are spelled in Latin letters.
SCRIPT_FORMS = (
    (re.compile("株式会社|（株）|\\(株\\)|㈱|주식회사|\\(주\\)"), " kk "),
    (re.compile("有限会社|（有）|\\(有\\)"), " yk "),
    (re.compile("合同会社"), " gk "),
    (re.compile("股份有限公司|有限责任公司|有限公司"), " ltd "),
)

CONNECTORS = frozenset({"and", "und", "et", "y", "e", "en", "og", "och", "the", "of"})
# What a clerk adds to tell two records apart, or to say what to do with one. Not part of the name.
REMARKS = (
    ("head", "office"),
    ("main", "office"),
    ("headquarters",),
    ("hq",),
    ("main",),
    ("old",),
    ("do", "not", "use"),
    ("inactive",),
    ("duplicate",),
    ("dup",),
    ("closed",),
    ("bill", "to"),
    ("ship", "to"),
    ("accounts", "payable"),
    ("ap",),
    ("siege",),
    ("zentrale",),
    ("hauptsitz",),
)
# Words by which the firms of one group differ, and that are left out as often as not.
_SOFT = """
group gruppe groupe grupo gruppo holding holdings international worldwide global enterprises enterprise 1 2 3 4 5 i ii
iii usa us uk deutschland germany america europe japan
"""
SOFT = frozenset(_SOFT.split())

# Words that are written short.
WHOLE = {
    "mfg": "manufacturing",
    "mfr": "manufacturing",
    "svc": "services",
    "svcs": "services",
    "service": "services",
    "serv": "services",
    "intl": "international",
    "natl": "national",
    "mgmt": "management",
    "mgt": "management",
    "eng": "engineering",
    "engg": "engineering",
    "constr": "construction",
    "const": "construction",
    "bros": "brothers",
    "assoc": "associates",
    "assocs": "associates",
    "dist": "distribution",
    "distr": "distribution",
    "ind": "industries",
    "inds": "industries",
    "industry": "industries",
    "tech": "technologies",
    "techs": "technologies",
    "technology": "technologies",
    "elec": "electric",
    "electrical": "electric",
    "dept": "department",
    "univ": "university",
    "hosp": "hospital",
    "transp": "transport",
    "lab": "laboratories",
    "labs": "laboratories",
    "solution": "solutions",
    "sys": "systems",
    "system": "systems",
    "prod": "products",
    "prods": "products",
    "product": "products",
    "ctr": "center",
    "centre": "center",
    "st": "saint",
    "gebr": "gebruder",
    "ges": "gesellschaft",
}

_MAIL_HOSTS = """
126.com 163.com alice.it amazon.com aol.com arcor.de att.net bellsouth.net bigpond.com bk.ru blogspot.com bol.com.br
btconnect.com btinternet.com charter.net comcast.net cox.net daum.net docomo.ne.jp earthlink.net ebay.com email.com
etsy.com ezweb.ne.jp facebook.com fastmail.com foxmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de
gmx.net google.com googlemail.com hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.fr icloud.com
inbox.ru instagram.com kpnmail.nl laposte.net libero.it linkedin.com linktr.ee list.ru live.com live.de mac.com
mail.com mail.ru me.com msn.com myshopify.com naver.com ntlworld.com online.de optusnet.com.au orange.fr outlook.com
outlook.de outlook.fr planet.nl pm.me proton.me protonmail.com qq.com rambler.ru rediffmail.com rogers.com
sbcglobal.net sfr.fr shaw.ca shopify.com sina.com sites.google.com sky.com skynet.be softbank.ne.jp squarespace.com
sympatico.ca t-online.de telenet.be telus.net terra.com.br tiscali.it tutanota.com twitter.com uol.com.br verizon.net
virgilio.it virginmedia.com wanadoo.fr web.de weebly.com wixsite.com wordpress.com x.com yahoo.co.jp yahoo.co.uk
yahoo.com yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.it yandex.com yandex.ru ymail.com ziggo.nl zoho.com
"""
# And houses that lend a page to anybody.
MAIL_HOSTS = frozenset(_MAIL_HOSTS.split())

STREET_WORDS = {
    "street": "st",
    "strasse": "str",
    "road": "rd",
    "avenue": "ave",
    "av": "ave",
    "boulevard": "blvd",
    "lane": "ln",
    "drive": "dr",
    "square": "sq",
    "place": "pl",
    "court": "ct",
    "highway": "hwy",
    "parkway": "pkwy",
    "suite": "ste",
    "floor": "fl",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "building": "bldg",
    "calle": "c",
    "rue": "r",
    "platz": "pl",
}


@lru_cache(maxsize=1)
def legal_forms() -> dict[tuple[str, ...], str]:
    """Words of a legal form, as they end a plain name → one word for all its spellings."""
    from cleanco.termdata import terms_by_type

    from tieout.matching.identity_normalise import plain

    spelled = {*_MORE_FORMS.split(), *_LONG_FORMS, *(plain(term) for terms in terms_by_type.values() for term in terms)}
    forms = {tuple(form.split()): _SAME_FORM.get(form, form) for form in spelled if form}
    return {
        words: form for words, form in forms.items() if not all(len(word) == 1 for word in words) or len(words) == 2
    }
