"""Countries and their capitals, each one word, for the picture where no file of questions brings its own."""

_LISTED = """
Afghanistan Kabul, Albania Tirana, Algeria Algiers, Angola Luanda, Armenia Yerevan, Australia Canberra, Austria
Vienna, Azerbaijan Baku, Bahrain Manama, Bangladesh Dhaka, Belarus Minsk, Belgium Brussels, Botswana Gaborone,
Bulgaria Sofia, Cambodia Phnom_Penh, Canada Ottawa, Chad N'Djamena, Chile Santiago, China Beijing, Colombia Bogotá,
Croatia Zagreb, Cuba Havana, Cyprus Nicosia, Denmark Copenhagen, Ecuador Quito, Egypt Cairo, Eritrea Asmara, Estonia
Tallinn, Ethiopia Addis_Ababa, Finland Helsinki, France Paris, Georgia Tbilisi, Germany Berlin, Ghana Accra, Greece
Athens, Guinea Conakry, Honduras Tegucigalpa, Hungary Budapest, Iceland Reykjavik, India New_Delhi, Indonesia Jakarta,
Iran Tehran, Iraq Baghdad, Ireland Dublin, Italy Rome, Jamaica Kingston, Japan Tokyo, Jordan Amman, Kenya Nairobi,
Laos Vientiane, Latvia Riga, Lebanon Beirut, Liberia Monrovia, Libya Tripoli, Lithuania Vilnius, Madagascar
Antananarivo, Malawi Lilongwe, Mali Bamako, Malta Valletta, Moldova Chișinău, Mongolia Ulaanbaatar, Morocco Rabat,
Mozambique Maputo, Namibia Windhoek, Nepal Kathmandu, Netherlands Amsterdam, Nicaragua Managua, Niger Niamey, Nigeria
Abuja, Norway Oslo, Oman Muscat, Pakistan Islamabad, Paraguay Asunción, Peru Lima, Philippines Manila, Poland Warsaw,
Portugal Lisbon, Qatar Doha, Romania Bucharest, Russia Moscow, Rwanda Kigali, Senegal Dakar, Serbia Belgrade, Slovakia
Bratislava, Slovenia Ljubljana, Somalia Mogadishu, Spain Madrid, Sudan Khartoum, Sweden Stockholm, Switzerland Bern,
Syria Damascus, Thailand Bangkok, Tunisia Tunis, Turkey Ankara, Uganda Kampala, Ukraine Kyiv, Uruguay Montevideo,
Venezuela Caracas, Vietnam Hanoi, Yemen Sanaa, Zambia Lusaka, Zimbabwe Harare
"""

PAIRS: tuple[tuple[str, str], ...] = tuple(
    (country, capital) for country, capital in (pair.split() for pair in _LISTED.split(","))
)
