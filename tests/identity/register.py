"""Companies as a register knows them, and how a CRM and an ERP of somebody else spell them: habits that the simulator
does not have.

Names are families, places, trades and fancy words in five languages, among them many that several firms bear; there are
franchises (one brand and one host, many towns), holdings beside operating firms at one address and one telephone,
office centres where many firms have one address, VAT groups with one number, firms renamed or moved, trade names beside
legal names. Errors: words swapped, left out or abbreviated, ae for ä, letters misread (0 for O, rn for m), a branch in
the name, fields in the wrong form, no country. Tax ids have the check digits of their countries. Ids of both
systems are small numbers that collide.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

_FAMILIES = """
Smith Jones Taylor Brown Wilson Evans Thomas Roberts Walker Wright Hughes Green Hall Wood Harris Clarke Patel Khan
Turner Müller Schmidt Schneider Fischer Weber Wagner Becker Schulz Hoffmann Schäfer Köhler Krüger Böhm Groß Jäger
Vogel Martin Bernard Dubois Moreau Laurent Lefèvre Girard Bonnet François Mercier Faure Rousseau Chevalier Gauthier
García Fernández González Rodríguez López Martínez Sánchez Pérez Gómez Ruiz Díaz Muñoz Ortega Núñez Peña Kowalski
Wiśniewski Wójcik Lewandowski Zieliński Szymański Dąbrowski Kozłowski Mazur Grabowski Pawłowski Okafor Svensson Nygård
Sørensen Halvorsen Papadopoulos Yılmaz Çelik Novák Horváth Ivanov Popescu
"""
FAMILIES = _FAMILIES.split()
_FANCY = """
Bluewater Northstar Greenleaf Silverline Redwood Evergreen Stonebridge Clearview Ironside Brightside Lakeside Oakfield
Apex Zenith Vertex Nexus Quantum Phoenix Atlas Orion Titan Delta Omega Sigma Pioneer Summit Horizon Pinnacle Vanguard
Meridian Solaris Aurora Equinox Catalyst Momentum Synergy Fusion Velocity Trident Falcon Mosaic Lumen Cobalt Onyx
Prisma
"""
FANCY = _FANCY.split()
TRADES = {
    "GB": "Plumbing,Builders,Engineering,Consulting,Catering,Transport,Joinery,Electrical Services,"
    "Property Management,Motors,Recruitment,Scaffolding,Bakery,Accountants,Landscapes,"
    "Dental Practice,Trading,Precision Castings",
    "US": "Manufacturing,Services,Roofing,Trucking,Construction,Insurance Agency,Auto Parts,Consulting,"
    "Industries,Supply,Technologies,Medical Center,Landscaping,Foods,Properties,Fabrication,"
    "Distributors",
    "DE": "Maschinenbau,Elektrotechnik,Bau,Haustechnik,Spedition,Werkzeugbau,Metallbau,Druckerei,"
    "Bäckerei,Handels,Verwaltungs,Immobilien,Tiefbau,Schreinerei,Beratung,Anlagentechnik",
    "FR": "Bâtiment,Menuiserie,Transports,Boulangerie,Électricité,Conseil,Maçonnerie,Services,"
    "Industrie,Distribution,Plomberie,Immobilier,Paysages,Carrosserie",
    "ES": "Construcciones,Transportes,Instalaciones,Servicios,Inmobiliaria,Talleres,Alimentación,"
    "Consultores,Electricidad,Muebles,Distribuciones,Reformas",
    "PL": "Transport,Budownictwo,Usługi,Handel,Meble,Instalacje,Doradztwo,Piekarnia,Technika,Konstrukcje Stalowe",
}
FORMS = {
    "GB": ("Ltd", "Limited", "LLP", "PLC"),
    "US": ("Inc.", "LLC", "Corp.", "Co.", "L.P."),
    "DE": ("GmbH", "AG", "GmbH & Co. KG", "UG", "e.K."),
    "FR": ("SARL", "SAS", "S.A.", "EURL"),
    "ES": ("S.L.", "S.A.", "S.L.U."),
    "PL": ("Sp. z o.o.", "S.A.", "Sp. k."),
}
TOWNS = {
    "GB": "Leeds,Hull,Derby,York,Bath,Luton,Stoke,Exeter,Swansea,Dundee,Preston,Ipswich",
    "US": "Springfield,Dayton,Tulsa,Omaha,Boise,Reno,Toledo,Akron,Mesa,Tampa,Fresno,Albany,Salem",
    "DE": "Köln,Gießen,Würzburg,Fürth,Hagen,Jena,Celle,Lübeck,Bonn,Trier,Ulm,Gera",
    "FR": "Lille,Nantes,Béziers,Nîmes,Orléans,Angers,Dijon,Brest,Amiens,Tours",
    "ES": "Málaga,Murcia,Córdoba,Gijón,Lleida,Jaén,Cádiz,Huelva",
    "PL": "Łódź,Kraków,Gdańsk,Poznań,Radom,Płock,Toruń",
}
ROADS = {
    "GB": "{n} Church Lane,Unit {n} Station Industrial Estate,{n} Victoria Road,{n} High Street,{n} Albert Square",
    "US": "{n} Main Street,{n} Elm Avenue Suite {m},{n} Industrial Parkway,{n} N 5th Street,{n} Oak Boulevard",
    "DE": "Hauptstraße {n},Bahnhofstr. {n},Am Gewerbepark {n},Goethestraße {n},Industrieweg {n}",
    "FR": "{n} rue de la République,{n} avenue Victor Hugo,{n} ZI Nord,{n} bd Gambetta",
    "ES": "Calle Mayor {n},Avda. de la Constitución {n},Polígono Industrial Sur {n}",
    "PL": "ul. Polna {n},ul. Kościuszki {n},al. Jana Pawła II {n}",
}
DIAL = {"GB": "44", "US": "1", "DE": "49", "FR": "33", "ES": "34", "PL": "48"}
SHORTER = {
    "Manufacturing": "Mfg",
    "Services": "Svcs",
    "Construction": "Constr.",
    "Technologies": "Tech",
    "International": "Intl",
    "Engineering": "Eng.",
    "Industries": "Inds",
    "Transportes": "Tptes.",
    "Construcciones": "Const.",
    "Maschinenbau": "Masch.bau",
    "Management": "Mgmt",
    "Consulting": "Cons.",
    "Transports": "Tpts",
    "Electrical": "Elec.",
    "Distributors": "Dist.",
}
SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
LOOKALIKE = (("O", "0"), ("l", "1"), ("m", "rn"), ("S", "5"), ("B", "8"), ("ll", "l"), ("ie", "ei"))
BESIDE = ("Holding", "Verwaltung", "Immobilien", "Properties", "Beteiligung")
FREE_MAIL = ("gmail.com", "hotmail.com", "gmx.de", "orange.fr", "btinternet.com", "yahoo.es", "wp.pl")


@dataclass(eq=False)
class Firm:
    """A legal entity. `host` and `number` may be those of its group."""

    name: str
    trade_name: str
    country: str
    town: str
    road: str
    code: str
    host: str
    phone: str
    number: str
    person: bool = False


class Register:
    """`count` firms of a seed, and what two systems hold of them."""

    def __init__(self, seed: int, count: int, *, dirt: float = 1.0) -> None:
        self._draw = random.Random(f"register/{seed}")
        self._dirt = dirt
        self._centres = {c: [self._place(c) for _ in range(max(2, count // 400))] for c in TOWNS}
        self.firms: list[Firm] = []
        while len(self.firms) < count:
            self._found()
        self.rows: list[dict[str, Any]] = []
        self.truth: set[tuple[tuple[str, str], tuple[str, str]]] = set()
        self.units = {"crm": "one", "erp": "one"}
        self._fill()

    def _chance(self, share: float) -> bool:
        return self._draw.random() < share

    def _place(self, country: str) -> tuple[str, str, str]:
        draw = self._draw
        town = draw.choice(TOWNS[country].split(","))
        road = draw.choice(ROADS[country].split(",")).format(n=draw.randint(1, 180), m=draw.randint(1, 40))
        rest = draw.randint(10, 99) * 1000 + draw.randint(0, 60) * 10
        code = {
            "GB": f"{town[:2].upper()}{rest % 19 + 1} {rest % 9}{draw.choice('ABDEFGHJ')}{draw.choice('LNPQRSTU')}",
            "PL": f"{rest // 1000}-{rest % 1000:03d}",
        }.get(country, f"{rest:05d}")
        return town, road, code

    def _title(self, country: str, town: str) -> str:
        draw = self._draw
        trade, family, fancy = draw.choice(TRADES[country].split(",")), draw.choice(FAMILIES), draw.choice(FANCY)
        kind = draw.randrange(9)
        if kind < 3:
            return f"{family} {trade}"
        if kind == 3:
            return f"{family} & {draw.choice(FAMILIES)} {trade}"
        if kind == 4:
            return f"{draw.choice('ABCDEFGHJKLM')}. {draw.choice('ABDEFGHIRST')}. {family} {trade}"
        if kind == 5:
            return f"{fancy} {draw.choice(FANCY)} {trade}"
        if kind == 6:
            return f"{fancy} {trade}"
        return f"{town} {family} {trade}" if kind == 7 else f"{draw.choice(FAMILIES)}{fancy.lower()} {trade}"

    def _found(self) -> None:
        """One firm, a group of two or three, or a franchise."""
        draw = self._draw
        country = draw.choices(list(TOWNS), (25, 25, 20, 12, 10, 8))[0]
        place = draw.choice(self._centres[country]) if self._chance(0.06) else self._place(country)
        title = self._title(country, place[0])
        word = "".join(c for c in title.translate(SPELLED_OUT).lower() if c.isascii() and c.isalnum())
        endings = {"GB": ("co.uk", "com"), "US": ("com", "net")}.get(country, (country.lower(), "com"))
        host = f"{word[: draw.randint(6, 22)]}.{draw.choice(endings)}"
        first = self._firm(title, country, place, host)
        kind = draw.random()
        if kind < 0.04:  # a holding beside the firm, everything shared but the number
            other = self._firm(
                f"{title.split()[0]} {draw.choice(BESIDE)}",
                country,
                place,
                host,
            )
            other.phone = first.phone
            if self._chance(0.2):
                other.number = first.number  # a group registered for VAT as one
        elif kind < 0.07:  # a sister abroad
            abroad = draw.choice([c for c in TOWNS if c != country])
            self._firm(
                title if self._chance(0.5) else f"{title} {draw.choice(TOWNS[abroad].split(','))}",
                abroad,
                self._place(abroad),
                host,
            )
        elif kind < 0.09:  # a franchise: one brand, a firm in each town
            towns = {place[0]}
            for _ in range(draw.randint(2, 5)):
                there = self._place(country)
                if there[0] in towns:
                    continue
                towns.add(there[0])
                self._firm(f"{title} {there[0]}", country, there, host)
        elif kind < 0.13:  # somebody of the same name who has nothing to do with them
            there = self._place(country)
            self._firm(title, country, there, f"{word[:8]}-{there[0].lower()}.com".replace(" ", ""))

    def _firm(self, title: str, country: str, place: tuple[str, str, str], host: str) -> Firm:
        draw = self._draw
        found = Firm(
            f"{title} {draw.choice(FORMS[country])}",
            title if self._chance(0.9) else f"{draw.choice(FANCY)} {title.split()[-1]}",
            country,
            *place,
            host,
            f"{draw.randint(20, 99)} {draw.randint(1_000_000, 9_999_999)}",
            self._number(country),
        )
        self.firms.append(found)
        return found

    def _number(self, country: str) -> str:
        from stdnum.util import get_cc_module

        draw = self._draw
        module = get_cc_module({"US": "de"}.get(country, country).lower(), "vat")
        if country == "US":
            return f"{draw.randint(10, 98)}-{draw.randint(1_000_000, 9_999_999)}"
        for _ in range(20_000):
            digits = f"{draw.randint(10**10, 10**11 - 1)}"
            tried = {"GB": digits[:9], "DE": digits[:9], "FR": digits, "ES": f"B{digits[:8]}", "PL": digits[:10]}[
                country
            ]
            if module.is_valid(tried):
                return country + tried
        raise AssertionError(country)

    def _fill(self) -> None:
        draw, ids = self._draw, {"crm": 1000, "erp": 1000}
        pending: list[tuple[list[str], list[str]]] = []
        for firm in self.firms:
            where = draw.choices(("both", "crm", "erp"), (62, 26, 12))[0]
            made: dict[str, list[str]] = {"crm": [], "erp": []}
            for system in ("crm", "erp"):
                if where not in ("both", system):
                    continue
                for _ in range(2 if self._chance({"crm": 0.05, "erp": 0.02}[system]) else 1):
                    ids[system] += draw.randint(1, 3)
                    made[system].append(str(ids[system]))
                    self.rows.append(self._row(firm, system, str(ids[system])))
            pending.append((made["crm"], made["erp"]))
            self.truth |= {(("crm", a), ("erp", b)) for a in made["crm"] for b in made["erp"]}
        self._link(pending)
        draw.shuffle(self.rows)

    def _link(self, pending: list[tuple[list[str], list[str]]]) -> None:
        by_id = {(row["connection"], row["customer_id"]): row for row in self.rows}
        erp = [row["customer_id"] for row in self.rows if row["connection"] == "erp"]
        for accounts, customers in pending:
            if accounts and customers and self._chance(0.25):
                to = self._draw.choice(erp) if self._chance(0.03) else customers[0]
                by_id["crm", accounts[0]]["external_customer_id"] = to

    def _row(self, firm: Firm, system: str, id_: str) -> dict[str, Any]:
        draw, crm = self._draw, system == "crm"
        place = (firm.town, firm.road, firm.code) if not self._chance(0.10) else self._place(firm.country)
        told = {
            "connection": system,
            "customer_id": id_,
            "role": system,
            "name": self._spelled(firm, crm),
            "is_person": firm.person,
            "city": place[0] if self._chance(0.92) else None,
            "street": self._road(place[1]) if self._chance(0.85) else None,
            "postal_code": place[2] if self._chance(0.85) else None,
            "country_code": firm.country if self._chance(0.96) else None,
            "phone": self._dialled(firm) if self._chance(0.5 if crm else 0.35) else None,
            "tax_id": self._reformed(firm.number) if self._chance(0.2 if crm else 0.75) else None,
        }
        if crm:
            told["domain"] = (
                draw.choice(("", "www.", "https://www.", "http://")) + firm.host if self._chance(0.6) else None
            )
        elif self._chance(0.5):
            told["email"] = f"{draw.choice(('ap', 'rechnung', 'invoices', 'info'))}@{firm.host}"
        elif self._chance(0.15):
            told["email"] = f"{firm.host.split('.')[0]}@{draw.choice(FREE_MAIL)}"
        return told

    def _spelled(self, firm: Firm, crm: bool) -> str:
        draw = self._draw
        name = firm.trade_name if crm and self._chance(0.3) else firm.name
        if crm and self._chance(0.35):
            name = name.rsplit(" ", 1)[0] if name == firm.name else name
        share = 0.30 * self._dirt * (1 if crm else 0.7)
        if self._chance(share):
            kind, words = draw.randrange(9), name.split()
            if kind == 0 and len(words) > 2:
                words[0], words[1] = words[1], words[0]
                name = " ".join(words)
            elif kind == 1:
                name = " ".join(SHORTER.get(word, word) for word in words)
            elif kind == 2:
                name = name.translate(SPELLED_OUT)
            elif kind == 3:
                good, bad = draw.choice(LOOKALIKE)
                name = name.replace(good, bad, 1)
            elif kind == 4:
                name = f"{name} - {firm.town}"
            elif kind == 5:
                name = f"{name} t/a {draw.choice(FANCY)}"
            elif kind == 6 and len(words) > 2:
                name = " ".join(words[:-2] + words[-1:])
            elif kind == 7:
                at = draw.randrange(1, max(2, len(name) - 2))
                name = name[:at] + name[at + 1 :]
            else:
                name = name.replace("&", "and").replace("-", " ").replace(" ", "  ")
        return name.upper() if self._chance(0.15) else name

    def _road(self, road: str) -> str:
        for long, short in (
            ("Street", "St."),
            ("straße", "str."),
            ("Road", "Rd"),
            ("Avenue", "Ave"),
            ("avenue", "av."),
        ):
            if self._chance(0.3):
                road = road.replace(long, short)
        return road.upper() if self._chance(0.2) else road

    def _dialled(self, firm: Firm) -> str:
        digits = firm.phone.replace(" ", "")
        return self._draw.choice(
            (f"+{DIAL[firm.country]} (0){firm.phone}", f"0{digits}", f"00{DIAL[firm.country]}{digits}", firm.phone)
        )

    def _reformed(self, number: str) -> str:
        shape = self._draw.randrange(4)
        if shape == 0:
            return number
        if shape == 1:
            return number[2:] if number[:2].isalpha() else number.replace("-", "")
        if shape == 2:
            return f"{number[:2]} {number[2:5]} {number[5:]}"
        if self._chance(0.06):  # a digit that was read wrongly
            at = self._draw.randrange(3, len(number))
            return number[:at] + str(self._draw.randint(0, 9)) + number[at + 1 :]
        return number.lower()
